"""Which names of different sets become one class, and which must not."""

import pytest

from florence.data_engine.flod.class_names import singular_key, word_key
from florence.data_engine.flod.taxonomy import SourceClass, build_taxonomy


def classes(*sets):
    return [
        SourceClass(source, place, *(entry if isinstance(entry, tuple) else (entry,)))
        for source, names in enumerate(sets)
        for place, entry in enumerate(names)
    ]


def joined(taxonomy):
    return {item.name: [(member.source, member.name) for member in item.members] for item in taxonomy.classes}


@pytest.mark.parametrize(
    ('one', 'other', 'reason'),
    [
        ('hot dog', 'Hot_Dog', 'same name'),
        ('hot dog', 'hotdog', 'same name'),
        ('t-shirt', 'T shirt', 'same name'),
        ('car', 'car_(automobile)', 'disambiguator'),
        ('Sneakers', 'sneaker', 'plural'),
        ('tomato', 'tomatoes', 'plural'),
        ('berry', 'berries', 'plural'),
        ('cell phone', ('cellular_telephone', ('cellular_telephone', 'cellphone')), 'synonym'),
    ],
)
def test_one_class_by(one, other, reason):
    taxonomy = build_taxonomy(classes([one], [other]))
    assert len(taxonomy.classes) == 1 and taxonomy.classes[0].reasons == [reason]
    assert taxonomy.ambiguous == [] and taxonomy.near == []


@pytest.mark.parametrize(
    ('one', 'other'),
    [('glass', 'glasses'), ('bus', 'bu'), ('cab', 'cabbage'), ('short', 'shorts'), ('car', 'car_battery'), ('cactus', 'cactu')],
)
def test_two_classes(one, other):
    assert len(build_taxonomy(classes([one], [other])).classes) == 2


def test_singular_and_key():
    assert [singular_key(word) for word in ('dishes', 'boxes', 'skis', 'grass', 'Wine Glasses', 'tennis')] == [
        'dish', 'box', 'ski', 'grass', 'wineglasses', 'tennis'
    ]  # fmt: skip
    assert word_key('Cabinet/shelf') == 'cabinet/shelf' and word_key('naïve_Bär') == 'naïvebär'


def test_a_bare_word_beside_several_meanings_is_ambiguous():
    taxonomy = build_taxonomy(classes(['mouse'], ['mouse_(computer_equipment)', 'mouse_(animal)']))
    assert len(taxonomy.classes) == 3
    assert [(reason, key, len(found)) for reason, key, found in taxonomy.ambiguous] == [('disambiguator', 'mouse', 3)]
    coco, computer, _ = classes(['mouse'], ['mouse_(computer_equipment)', 'mouse_(animal)'])
    told = build_taxonomy(classes(['mouse'], ['mouse_(computer_equipment)', 'mouse_(animal)']), [(coco, computer)])
    assert joined(told)['mouse'] == [(0, 'mouse'), (1, 'mouse_(computer_equipment)')] and len(told.classes) == 2


def test_a_synonym_of_two_classes_joins_neither():
    taxonomy = build_taxonomy(classes(['soccer'], [('football', ('soccer',)), ('futsal', ('soccer',))]))
    assert len(taxonomy.classes) == 3 and taxonomy.ambiguous[0][:2] == ('synonym', 'soccer')


def test_classes_of_one_set_are_never_joined_through_another():
    """Both 'sofa' and 'couch' of the second set would become the first's couch."""
    taxonomy = build_taxonomy(classes([('couch', ('sofa',))], ['sofa', 'couch']))
    assert joined(taxonomy) == {'couch': [(0, 'couch'), (1, 'couch')], 'sofa': [(1, 'sofa')]}
    assert [entry[1] for entry in taxonomy.ambiguous] == ['sofa']
    with pytest.raises(ValueError, match='two classes of one set'):
        items = classes(['a'], ['b', 'c'])
        build_taxonomy(items, [(items[0], items[1]), (items[0], items[2])])


def test_alternatives_stay_apart_and_are_reported():
    taxonomy = build_taxonomy(classes(['shelf'], ['Cabinet/shelf'], ['cabinet']))
    assert len(taxonomy.classes) == 3
    assert {key for key, _ in taxonomy.near} == {'shelf', 'cabinet'}


def test_a_name_repeated_within_a_set_is_one_class():
    taxonomy = build_taxonomy(classes(['dog', 'Dog'], ['dogs']))
    assert joined(taxonomy) == {'dog': [(0, 'dog'), (0, 'Dog'), (1, 'dogs')]}


def test_order_maps_and_three_sets():
    taxonomy = build_taxonomy(classes(['cat', 'dog'], ['zebra', 'Dogs'], ['ZEBRA', 'cat']))
    assert [item.name for item in taxonomy.classes] == ['cat', 'dog', 'zebra']
    assert taxonomy.maps([2, 2, 2]) == [[0, 1], [2, 1], [2, 0]]
