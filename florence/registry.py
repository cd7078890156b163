"""Child registries of mmengine's roots, scope `florence`.

A string type such as `dict(type='florence.CoSwin')` imports `florence.registry`, which imports the modules named in
`locations` on the first look-up: no `custom_imports` and no `register_all_modules` are needed, from any scope.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import EVALUATOR as MMENGINE_EVALUATOR
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import INFERENCERS as MMENGINE_INFERENCERS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import STRATEGIES as MMENGINE_STRATEGIES
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import Registry

SCOPE = 'florence'


def _child(name: str, parent: Registry, *locations: str) -> Registry:
    return Registry(name, parent=parent, scope=SCOPE, locations=list(locations))


MODELS = _child('model', MMENGINE_MODELS, 'florence.models')
TOKENIZERS = Registry('tokenizer', scope=SCOPE, locations=['florence.models.language'])

DATASETS = _child('dataset', MMENGINE_DATASETS, 'florence.datasets')
TRANSFORMS = _child('transform', MMENGINE_TRANSFORMS, 'florence.datasets.transforms')
DATA_SAMPLERS = _child('data sampler', MMENGINE_DATA_SAMPLERS, 'florence.datasets.samplers')

METRICS = _child('metric', MMENGINE_METRICS, 'florence.evaluation')
EVALUATOR = _child('evaluator', MMENGINE_EVALUATOR, 'florence.evaluation')

LOOPS = _child('loop', MMENGINE_LOOPS, 'florence.engine')
HOOKS = _child('hook', MMENGINE_HOOKS, 'florence.engine')
STRATEGIES = _child('strategy', MMENGINE_STRATEGIES, 'florence.engine')
OPTIM_WRAPPERS = _child('optimizer wrapper', MMENGINE_OPTIM_WRAPPERS, 'florence.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    'optimizer wrapper constructor', MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS, 'florence.engine'
)

VISUALIZERS = _child('visualizer', MMENGINE_VISUALIZERS, 'florence.visualization')
INFERENCERS = _child('inferencer', MMENGINE_INFERENCERS, 'florence.apis')
