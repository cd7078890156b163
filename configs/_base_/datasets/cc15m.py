# Example of a mixture: CC3M, CC12M and SBU as webdataset shards of img2dataset, weighted by the square root of their sizes.
_base_ = './fld900m.py'
data_root = 'data/'
folders = dict(cc3m='cc3m/{00000..00331}.tar', cc12m='cc12m/{00000..01242}.tar', sbu='sbu/{00000..00099}.tar')
sizes = dict(cc3m=3_318_333, cc12m=12_423_374, sbu=1_000_000)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='StreamMixture',
        temperature=2,  # 1 = as one set, larger values favour the small sources
        sizes=list(sizes.values()),
        datasets=[
            dict(type='WebDatasetPairs', shards=data_root + shards, shuffle_size=10000, pipeline={{_base_.train_pipeline}})
            for shards in folders.values()
        ],
    ),
)
