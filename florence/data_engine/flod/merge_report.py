"""What became of every image, box and class of a merge; the numbers add up."""

from typing import Any

from florence.data_engine.flod.merge import MergedSet
from florence.data_engine.flod.taxonomy import SourceClass


def merge_report(merged: MergedSet) -> dict:
    """Counts and decisions of a merge whose annotations have been written.

    Over all sources, `images` minus `repeated_images` is the merged number of images, `boxes` minus `duplicate_boxes` that of
    boxes, and `classes` minus `joined_classes` that of classes; `left_out` is counted before.
    """

    def name(item: SourceClass) -> str:
        return f'{merged.sources[item.source].name}:{item.name}'

    sources: dict[str, dict[str, Any]] = {
        source.name: {
            'images': source.table.num_images,
            'boxes': source.table.num_boxes,
            'classes': len(source.table.categories.names),
            'repaired_or_left_out': dict(source.dirt.counts),
            'segmentations_left_out': source.table.num_masks_left,
        }
        for source in merged.sources
    }
    total = {key: sum(source[key] for source in sources.values()) for key in ('images', 'boxes', 'classes')}
    joined = [item for item in merged.taxonomy.classes if len(item.members) > 1]
    apart = merged.taxonomy.ambiguous
    return {
        'sources': sources,
        'merged': {
            'images': len(merged.entries),
            'repeated_images': total['images'] - len(merged.entries),
            'boxes': merged.counts['boxes'],
            'duplicate_boxes': merged.counts['duplicate_boxes'],
            'classes': len(merged.taxonomy.classes),
            'joined_classes': total['classes'] - len(merged.taxonomy.classes),
        },
        'classes': {
            'joined': [
                {'name': item.name, 'members': [name(member) for member in item.members], 'reasons': item.reasons}
                for item in joined
            ],
            'ambiguous': [{'reason': reason, 'key': key, 'members': list(map(name, members))} for reason, key, members in apart],
            'kept_apart': [{'key': key, 'members': list(map(name, members))} for key, members in merged.taxonomy.near],
        },
    }
