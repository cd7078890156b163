# Florence's two towers with an image tower that sees time.
_base_ = './two_tower_coswin-h.py'
model = dict(
    type='VideoTwoTower',
    mode='tube',
    image_tower=dict(_delete_=True, type='VideoCoSwin', arch='huge'),
)
