# Every rank holds the whole model; gradients are averaged. Start with tools/dist_train.sh or tools/slurm_train.sh.
strategy = dict(type='DDPStrategy')
