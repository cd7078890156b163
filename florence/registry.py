"""Child registries of mmengine's roots, scope `florence`.

A string type such as `dict(type='florence.CoSwin')` imports `florence.registry`, which imports the modules named in
`locations` on the first look-up: no `custom_imports` and no `register_all_modules` are needed, from any scope.
"""

from mmengine.registry import Registry, root

SCOPE = 'florence'


def _child(parent: Registry, *locations: str) -> Registry:
    return Registry(parent.name, parent=parent, scope=SCOPE, locations=list(locations))


MODELS = _child(root.MODELS, 'florence.models')
TOKENIZERS = Registry('tokenizer', scope=SCOPE, locations=['florence.models.language'])

DATASETS = _child(root.DATASETS, 'florence.datasets')
TRANSFORMS = _child(root.TRANSFORMS, 'florence.datasets.transforms')
DATA_SAMPLERS = _child(root.DATA_SAMPLERS, 'florence.datasets.samplers')

METRICS = _child(root.METRICS, 'florence.evaluation')
EVALUATOR = _child(root.EVALUATOR, 'florence.evaluation')

LOOPS = _child(root.LOOPS, 'florence.engine')
HOOKS = _child(root.HOOKS, 'florence.engine')
STRATEGIES = _child(root.STRATEGIES, 'florence.engine')
OPTIM_WRAPPERS = _child(root.OPTIM_WRAPPERS, 'florence.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(root.OPTIM_WRAPPER_CONSTRUCTORS, 'florence.engine')

VISUALIZERS = _child(root.VISUALIZERS, 'florence.visualization')
INFERENCERS = _child(root.INFERENCERS, 'florence.apis')

# Nothing of ours is registered here, but a config of scope 'florence' looks its optimizer up here before it asks the root.
OPTIMIZERS = _child(root.OPTIMIZERS, 'florence.engine')
PARAM_SCHEDULERS = _child(root.PARAM_SCHEDULERS, 'florence.engine')
MODEL_WRAPPERS = _child(root.MODEL_WRAPPERS, 'florence.engine')
RUNNERS = _child(root.RUNNERS, 'florence.engine')
LOG_PROCESSORS = _child(root.LOG_PROCESSORS, 'florence.engine')
VISBACKENDS = _child(root.VISBACKENDS, 'florence.visualization')
WEIGHT_INITIALIZERS = _child(root.WEIGHT_INITIALIZERS, 'florence.models')
