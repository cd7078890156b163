"""Action recognition: videos with one class each."""

from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.dataset import BaseDataset

from florence.datasets.hash_split import HashSplit
from florence.datasets.image_folder import readable
from florence.datasets.pair_dataset import PairDataset
from florence.datasets.record_pairs import READERS
from florence.datasets.video.action_lists import ActionList, read_folders, read_list, read_records
from florence.datasets.video.published_action_sets import (
    read_hmdb51,
    read_kinetics,
    read_something_something,
    read_ucf101,
)
from florence.datasets.video.video_files import present_files, video_folder
from florence.registry import DATASETS
from florence.tasks.class_names import read_class_names

READER_OF: dict[str, Callable[..., ActionList]] = {
    'list': read_list,
    'records': read_records,
    'kinetics': read_kinetics,
    'ssv2': read_something_something,
    'ucf101': read_ucf101,
    'hmdb51': read_hmdb51,
}
LAYOUTS = (*READER_OF, 'folders')
LAYOUT_OF_OPTION = {'delimiter': 'list', 'columns': 'records', 'path_template': 'kinetics', 'fold': 'hmdb51'}
LAYOUTS_WITH_INDICES = ('ssv2', 'ucf101', 'hmdb51')


@DATASETS.register_module()
class ActionClips(PairDataset):
    """One sample per video: `filename`, `label` (int), `sample_id`, `start_index` 0, `modality` 'RGB', and `classes`.

    `OpenVideo`, `SampleClips` and `DecodeVideo` follow, then mmaction2's transforms. In training a broken video is replaced by
    another one, counted and named in the log; in `test_mode` it raises.

    Args:
        ann_file: Annotation, relative to `data_root`: a list, a table, JSON records, an official file (`layout`), for HMDB51 the
            folder of its splits; empty = a folder per class.
        layout: One of `LAYOUTS`; None = by `ann_file`: empty 'folders'; .csv, .tsv, .json, .jsonl 'records'; else 'list'.
        classes: Class names in the order of their indices, a text file with one a line, or the name of a known set
            (`florence.tasks.class_names`); None = as the annotation tells.
        num_classes: How many, where no names are known: labels are then numbers below it.
        delimiter: Between path and label of a list; None = a blank.
        columns: Columns of path and label of records; None = 'path' and 'label'.
        path_template: Where a video of Kinetics lies, see `read_kinetics`; None = in the folder of its class.
        split: `'train'` or `'val'`: one side of a split by hash of the path, for sets without an official one; for HMDB51
            `'train'` or `'test'`. None = all.
        val_share: Share of the videos in `'val'`.
        fold: Fold of HMDB51, 1 to 3; None = 1.
        on_missing: `'error'` refuses a set with missing files, `'leave_out'` names them and goes on (links of Kinetics die).
        data_prefix: `dict(video=...)`: folder of the videos, relative to `data_root`.
        **kwargs: See `PairDataset`.

    Raises:
        FileNotFoundError: If the annotation, the folder, a video, or the file or known set of class names is missing.
        KeyError: If a column or a class name is unknown.
        ValueError: If a label is out of range, a line cannot be read, no video is found, or an argument belongs to another
            layout.
    """

    def __init__(
        self,
        ann_file: str = '',
        *,
        layout: str | None = None,
        classes: str | Sequence[str] | None = None,
        num_classes: int | None = None,
        delimiter: str | None = None,
        columns: Sequence[str] | None = None,
        path_template: str | None = None,
        split: str | None = None,
        val_share: float = 0.1,
        fold: int | None = None,
        on_missing: str = 'error',
        data_prefix: dict | None = None,
        **kwargs,
    ) -> None:
        ending = Path(ann_file).suffix[1:].lower()
        self.layout = layout or ('records' if ending in READERS else 'list' if ann_file else 'folders')
        if self.layout not in LAYOUTS:
            raise ValueError(f'ActionClips: layout is one of {", ".join(LAYOUTS)}, not {layout!r}')
        self.given_classes, self.num_classes = classes, num_classes
        self.on_missing = on_missing
        self.options = self._options(ann_file, delimiter=delimiter, columns=columns, path_template=path_template, fold=fold)
        if self.layout == 'hmdb51':
            self.options['split'] = split
        self.hash_split = HashSplit(None if self.layout == 'hmdb51' else split, val_share)
        super().__init__(ann_file, data_prefix=video_folder(data_prefix), **kwargs)

    def _options(self, ann_file: str, **options: object) -> dict:
        """The arguments of the layout's reader that are given.

        Raises:
            ValueError: If one belongs to another layout, or the annotation is missing or not wanted.
        """
        if bool(ann_file) == (self.layout == 'folders'):
            wanted = f'takes no annotation, remove ann_file={ann_file!r}' if ann_file else 'needs an annotation: set ann_file'
            raise ValueError(f'ActionClips: layout {self.layout!r} {wanted}')
        given = {name: value for name, value in options.items() if value is not None}
        for name in given:
            if LAYOUT_OF_OPTION[name] != self.layout:
                raise ValueError(f'ActionClips: {name} belongs to layout {LAYOUT_OF_OPTION[name]!r}, this one is {self.layout!r}')
        return given

    def full_init(self) -> None:
        """Read the annotations, once.

        Raises:
            FileNotFoundError: If the annotation or the folder of the videos is missing.
            ValueError: If no video is found.
        """
        if self._fully_initialized:
            return
        is_right, kind = (Path.is_dir, 'folder') if self.layout == 'hmdb51' else (Path.is_file, 'file')
        if self.ann_file and not is_right(Path(self.ann_file)):
            raise FileNotFoundError(f'ActionClips: no annotation {kind} at {self.ann_file}')
        if not self.img_root.is_dir():
            raise FileNotFoundError(f'ActionClips: no video folder at {self.img_root}')
        BaseDataset.full_init(self)  # past the check of PairDataset: the annotation of HMDB51 is a folder

    def load_data_list(self) -> list[dict]:
        """One entry per video, in the order of the annotation."""
        actions = self._read().part(self.hash_split)
        classes = self._class_names(actions.classes)
        index_of = {readable(name).casefold(): index for index, name in enumerate(classes or ())}
        if classes is not None:
            if self.num_classes not in (None, len(classes)) or len(index_of) < len(classes):
                raise ValueError(
                    f'ActionClips: {len(classes)} names of classes, {len(index_of)} of them different, expected '
                    f'{self.num_classes or "different ones"}: give all names by classes=, as a file or a list.'
                )
            self._metainfo['classes'] = classes
            self.share_with_samples(classes=classes)
        samples = [
            {
                'sample_id': path,
                'filename': str(self.img_root / path),
                'label': self._index(label, index_of, len(classes) if classes else self.num_classes, path),
                'start_index': 0,
                'modality': 'RGB',
            }
            for path, label in actions.rows
        ]
        return present_files(samples, self.on_missing, self.name)

    def _read(self) -> ActionList:
        if self.layout == 'folders':
            return read_folders(self.img_root)
        return READER_OF[self.layout](self.ann_file, **self.options)

    def _class_names(self, told: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if self.given_classes is None:
            return told
        classes = self._given_names()
        if self.layout in LAYOUTS_WITH_INDICES and told is not None and len(classes) != len(told):
            raise ValueError(f'{self.name} has {len(told)} classes, `classes` names {len(classes)}')
        return classes

    def _given_names(self) -> tuple[str, ...]:
        if not isinstance(self.given_classes, str):
            return tuple(self.given_classes)
        file = Path(self.data_root, self.given_classes)
        return read_class_names(str(file) if file.is_file() else self.given_classes)

    def _index(self, label: int | str, index_of: dict[str, int], num_classes: int | None, path: str) -> int:
        """Index of a class.

        Raises:
            KeyError: If no class has that name.
            ValueError: If the index is out of range.
        """
        if isinstance(label, str):
            if not index_of:
                raise KeyError(f'{self.name}: {path} has the class {label!r}: give the class names in `classes`, in order')
            if readable(label).casefold() not in index_of:
                raise KeyError(f'{self.name}: {path} has the class {label!r}, which is none of the {len(index_of)} in `classes`')
            return index_of[readable(label).casefold()]
        if label < 0 or (num_classes is not None and label >= num_classes):
            bound = '' if num_classes is None else f' of {num_classes} classes (0 to {num_classes - 1})'
            raise ValueError(f'{self.name}: label {label} of {path} is out of range{bound}')
        return label

    def get_cat_ids(self, idx: int) -> list[int]:
        """Class indices of one sample, for class-balanced sampling."""
        return [self.get_data_info(idx)['label']]
