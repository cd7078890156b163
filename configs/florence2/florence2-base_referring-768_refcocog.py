# As florence2-base_referring-768_refcoco.py, on RefCOCOg, whose expressions are longer (arXiv 2311.06242: REC 89.8 and 82.2
# on val and test as a generalist; 66.3 and 65.1 without).
#   bash tools/dist_train.sh configs/florence2/florence2-base_referring-768_refcocog.py 8 --load-from florence2-base.pth
# Hardware: 8 GPUs. Not run here.
_base_ = './florence2-base_referring-768_refcoco.py'
ann_file = 'refcocog/refs(umd).p'
own = dict(dataset=dict(ann_file=ann_file))
train_dataloader = own
val_dataloader = {name: own for name in _base_.val_dataloader}
test_dataloader = {
    f'{name}_test': dict(loader, dataset=dict(loader.dataset, ann_file=ann_file, split='test'))
    for name, loader in _base_.val_dataloader.items()
}
test_dataloader['_delete_'] = True
test_evaluator = dict(_delete_=True, rec_test=dict(type='TaskAnswers'), res_test=dict(type='TaskAnswers'))
