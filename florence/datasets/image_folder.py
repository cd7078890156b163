"""Image classification from a folder per class, the layout of most public sets."""

import logging
from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import print_log

from florence.datasets.pair_dataset import PairDataset
from florence.registry import DATASETS
from florence.tasks.class_names import get_class_names
from florence.tasks.templates import template_set_names

IMAGE_SUFFIXES = frozenset({'.bmp', '.gif', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp'})


def readable(folder: str) -> str:
    """A folder's name as words: `dining_table` is "dining table"."""
    return folder.replace('_', ' ').strip()


def match_folders(folders: Sequence[str], classes: Sequence[str]) -> list[str]:
    """The folder of each class: by name where the names agree, else in sorted order.

    Args:
        folders: Names of the class folders.
        classes: Class names, in the order of their indices.

    Raises:
        ValueError: If the numbers differ, or only some names agree, so that sorted order would be a guess.
    """
    if len(folders) != len(classes):
        raise ValueError(f'found {len(folders)} class folders for {len(classes)} classes: {", ".join(sorted(folders))}')
    by_name = {readable(folder).casefold(): folder for folder in folders}
    agreeing = [name for name in classes if name.casefold() in by_name]
    if len(agreeing) == len(classes):
        return [by_name[name.casefold()] for name in classes]
    if agreeing:
        odd = sorted(set(classes) - set(agreeing))
        raise ValueError(f'{len(agreeing)} classes have a folder of their name, these have none: {", ".join(odd)}')
    return sorted(folders)


@DATASETS.register_module()
class ImageFolder(PairDataset):
    """Images in `data_prefix['img_path']/<class>/`, at any depth below.

    Sets `gt_label`, `classes` and `templates`, and, on demand, `text`, so that class data trains with UniCL.

    Args:
        data_root: Folder that holds the class folders, unless `data_prefix` names one within it.
        classes: Class names; None = the folders' names as words; a str = names of a known data set
            (`florence.tasks.class_names`). They are matched to the folders by name, else in sorted order.
        templates: Name of the prompt-template set for zero-shot classification.
        text_from_class: Set `text` to the class name.
        **kwargs: See `PairDataset`.

    Raises:
        KeyError: If `classes` or `templates` names an unknown set.
        ValueError: If classes and folders do not agree.
    """

    def __init__(
        self,
        data_root: str = '',
        *,
        classes: str | Sequence[str] | None = None,
        templates: str = 'simple',
        text_from_class: bool = False,
        **kwargs,
    ) -> None:
        if templates not in template_set_names():
            raise KeyError(f'no template set named {templates!r}; known: {", ".join(template_set_names())}')
        self.classes = get_class_names(classes) if isinstance(classes, str) else classes and tuple(classes)
        self.templates = templates
        self.text_from_class = text_from_class
        super().__init__(data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per image, classes in order, files in sorted order."""
        folders = sorted(path.name for path in self.img_root.iterdir() if path.is_dir())
        if self.classes is None:
            self.classes = tuple(readable(folder) for folder in folders)
            self._folder_of_class = folders
        else:
            self._folder_of_class = match_folders(folders, self.classes)
        pairs = ', '.join(f'{folder} = {name}' for folder, name in zip(self._folder_of_class, self.classes, strict=True))
        print_log(f'{self.name}: {pairs}', logger='current', level=logging.INFO)
        self._metainfo['classes'] = self.classes
        self.share_with_samples(classes=self.classes, templates=self.templates)
        return [
            entry for index, folder in enumerate(self._folder_of_class) for entry in self._entries(self.img_root / folder, index)
        ]

    def _entries(self, folder: Path, index: int) -> list[dict]:
        files = sorted(path for path in folder.rglob('*') if path.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise ValueError(f'{type(self).__name__}: class folder {folder} holds no image')
        text = {'text': self.classes[index]} if self.text_from_class else {}
        return [
            {
                'sample_id': str(path.relative_to(self.img_root)),
                'img_path': str(path),
                'gt_label': index,
                **text,
            }
            for path in files
        ]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Class indices of one sample, for class-balanced sampling."""
        return [self.get_data_info(idx)['gt_label']]
