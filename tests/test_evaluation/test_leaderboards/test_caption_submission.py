"""Captions for COCO's server and NoCaps: coverage, names, scores by domain."""

import json
import zipfile

import pytest

from florence.evaluation.functional.caption_scores import caption_scores
from florence.evaluation.leaderboards.caption_submission import (
    count_empty,
    read_captions,
    read_image_ids,
    read_references,
    score_captions,
    submission_captions,
    write_coco_captions,
    write_nocaps_captions,
)

IDS = [30, 10, 20]
METRICS = ('bleu', 'rouge_l', 'cider')


def captions(**by_id):
    return [{'image_id': int(number[1:]), 'caption': caption} for number, caption in by_id.items()]


def test_order_is_that_of_the_split():
    assert submission_captions(captions(i10='a', i20='', i30='c'), IDS) == captions(i30='c', i10='a', i20='')
    assert count_empty(captions(i1='', i2=' ', i3='a')) == 2


def test_every_kind_of_problem_is_named():
    with pytest.raises(ValueError) as error:
        submission_captions([*captions(i10='a', i99='b'), *captions(i10='c')], IDS)
    for part in ('does not have: is it of the same split (99)', 'more than once (10)', '2 images of 3 are not answered (30, 20)'):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{}', 'holds dict'),
        ('[1', 'no JSON'),
        ('[{"image_id": "7", "caption": "a"}]', 'entry 0 must have image_id, a whole number'),
        ('[{"image_id": 7, "caption": null}]', 'entry 0 must have image_id'),
    ],
)
def test_broken_results(tmp_path, content, message):
    (tmp_path / 'r.json').write_text(content)
    with pytest.raises(ValueError, match=message):
        read_captions(tmp_path / 'r.json')
    with pytest.raises(FileNotFoundError, match='check the path'):
        read_captions(tmp_path / 'none.json')


def test_image_ids(tmp_path):
    file = tmp_path / 'ids.json'
    for content in ({'images': [{'id': 3}, {'id': 1}]}, [3, 1]):
        file.write_text(json.dumps(content))
        assert read_image_ids(file) == [3, 1]
    for content, kind, message in (
        ({'info': 1}, KeyError, "no field 'images'"),
        ({'images': [{}]}, KeyError, "no field 'id'"),
        (['a'], ValueError, 'whole numbers'),
        ([1, 1, 2], ValueError, '1 image ids twice'),
    ):
        file.write_text(json.dumps(content))
        with pytest.raises(kind, match=message):
            read_image_ids(file)


def test_zip_for_coco(tmp_path):
    path = write_coco_captions(tmp_path, 'meter', {'test2014': captions(i1='a')})
    assert path.name == 'captions_test2014_meter_results.zip' and read_captions(path) == captions(i1='a')
    both = write_coco_captions(tmp_path, 'meter', {'val2014': captions(i2='b'), 'test2014': captions(i1='a')})
    with zipfile.ZipFile(both) as archive:
        assert archive.namelist() == ['captions_val2014_meter_results.json', 'captions_test2014_meter_results.json']
        assert json.loads(archive.read('captions_val2014_meter_results.json')) == captions(i2='b')
    with pytest.raises(ValueError, match='algorithm is .my_model.'):
        write_coco_captions(tmp_path, 'my_model', {'test2014': []})
    assert {file.suffix for file in tmp_path.iterdir()} == {'.zip'} and len(list(tmp_path.iterdir())) == 2


def test_file_for_nocaps(tmp_path):
    path = write_nocaps_captions(tmp_path, 'val', 'meter', captions(i1='a'))
    assert path.name == 'nocaps_val_meter_results.json' and read_captions(path) == captions(i1='a')


def nocaps_file(path, domains=('in-domain', 'out-domain', 'in-domain', 'near-domain')):
    texts = ['a red dog runs', 'a tin opener lies here', 'two cats sleep', 'a zebra']
    images = [{'id': number, 'domain': domain} for number, domain in enumerate(domains)]
    annotations = [
        {'id': 2 * number + more, 'image_id': number, 'caption': text + ' there' * more}
        for number, text in enumerate(texts)
        for more in range(2)
    ]
    path.write_text(json.dumps({'images': images, 'annotations': annotations}))
    return texts


def test_each_domain_is_scored_as_a_data_set(tmp_path):
    texts = nocaps_file(tmp_path / 'val.json')
    references, domains = read_references(tmp_path / 'val.json')
    given = ['a dog', 'a can opener', 'two cats sleep', 'a horse']
    entries = [{'image_id': number, 'caption': given[number]} for number in (3, 1, 0, 2)]
    scores = score_captions(entries, references, domains, metrics=METRICS)
    assert list(scores) == ['all', 'in-domain', 'near-domain', 'out-domain']
    alone = caption_scores([given[0], given[2]], [[texts[i], texts[i] + ' there'] for i in (0, 2)], metrics=METRICS)
    assert scores['in-domain'].corpus == alone.corpus and scores['in-domain'].corpus['CIDEr'] > scores['all'].corpus['CIDEr'] > 0
    assert list(score_captions(entries, references, metrics=METRICS)) == ['all']


def test_references_are_checked(tmp_path):
    nocaps_file(tmp_path / 'val.json', ['in-domain', 'outside', 'in-domain', 'near-domain'])
    references, domains = read_references(tmp_path / 'val.json')
    with pytest.raises(ValueError, match="has 'outside'"):
        score_captions([], references, domains, metrics=METRICS)
    (tmp_path / 'test.json').write_text('{"images": [{"id": 1}], "annotations": []}')
    with pytest.raises(ValueError, match='1 images have no caption, e.g. 1'):
        read_references(tmp_path / 'test.json')
    (tmp_path / 'test.json').write_text('{"images": [], "annotations": [{"image_id": 4, "caption": "a"}]}')
    with pytest.raises(ValueError, match='image 4, which is not in images'):
        read_references(tmp_path / 'test.json')
    for images, annotation, message in (
        ('{"id": 1}', '{"image_id": 1, "caption": null}', 'a caption of image 1 is None, expected a text'),
        ('1', '{"image_id": 1, "caption": "a"}', 'an image must be an object with id, it is 1'),
        ('{"id": 1}', '3', 'an annotation must be an object with image_id, caption, it is 3'),
    ):
        (tmp_path / 'test.json').write_text(f'{{"images": [{images}], "annotations": [{annotation}]}}')
        with pytest.raises(ValueError, match=message):
            read_references(tmp_path / 'test.json')
    with pytest.raises(ValueError, match='no image is left to score'):
        score_captions([], {}, metrics=METRICS)
