# The two towers of two_tower_coswin-nano.py with an image tower that sees time; their weights fit, with a time axis added.
_base_ = './two_tower_coswin-nano.py'
model = dict(
    type='VideoTwoTower',
    mode='tube',
    image_tower=dict(_delete_=True, type='VideoCoSwin', arch='nano'),
)
