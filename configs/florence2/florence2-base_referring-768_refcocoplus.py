# As florence2-base_referring-768_refcoco.py, on RefCOCO+, whose expressions do not say where (arXiv 2311.06242: REC 86.8,
# 91.7, 82.2 on val, testA and testB as a generalist; 51.5, 56.4, 47.9 without).
#   bash tools/dist_train.sh configs/florence2/florence2-base_referring-768_refcocoplus.py 8 --load-from florence2-base.pth
# Hardware: 8 GPUs. Not run here.
_base_ = './florence2-base_referring-768_refcoco.py'
own = dict(dataset=dict(ann_file='refcoco+/refs(unc).p'))
train_dataloader = own
val_dataloader = {name: own for name in _base_.val_dataloader}
test_dataloader = {name: own for name in _base_.test_dataloader}
