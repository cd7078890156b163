# UniCL on digit scenes for DaViT-nano, the tower that Florence-2's twin starts from: Florence-2 initialises its image encoder with
# UniCL (arXiv 2311.06242, section 6.1).
#   bash tools/dist_train.sh configs/unicl/unicl_davit-nano_5min_digits.py 2
# Hardware: two CPU cores, five minutes. Expected figures on held-out scans: metafile.yml.
_base_ = './unicl_coswin-nano_10min_digits.py'
model = dict(image_tower=dict(_delete_=True, type='DaViT', arch='nano', out_indices=(2,)))
