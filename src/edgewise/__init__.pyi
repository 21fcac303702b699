from .errors import EdgewiseError as EdgewiseError
from .export import Classifier as Classifier
from .methods import RECIPES as RECIPES
from .methods import Projection as Projection
from .methods import Recipe as Recipe
from .pipeline import Explored as Explored
from .pipeline import Options as Options
from .pipeline import RunResult as RunResult
from .pipeline import Settings as Settings
from .pipeline import explore as explore
from .pipeline import load as load
from .pipeline import resolve as resolve
from .pipeline import resume as resume
from .pipeline import resume_explore as resume_explore
from .pipeline import run as run
from .pipeline import run_search as run_search
from .pipeline import run_selection as run_selection
from .pipeline import run_training as run_training
from .pipeline import start as start
from .plugins import load_plugin as load_plugin
from .spaces import PUBLISHED as PUBLISHED
from .spaces import Genotype as Genotype
from .spaces import published as published
from .spaces import read_genotype as read_genotype
from .spaces import write_genotype as write_genotype

__version__: str
