"""The examples in the help of commands that make a run."""

RUN_EXAMPLES = """Examples:

`edgewise run` (digits, three minutes on a CPU)

`edgewise run --data photos/ --out runs/photos` (an image folder: train/ and test/, or classes alone)

`edgewise run --data cifar10 --preset small --seed 1`

`edgewise run --recipe pc-darts --set search.epochs=20 --set projection.order=symmetric`

`edgewise run --data huge/ --memory low --set data.stream=always` (less memory: cells twice, images as needed)

`edgewise run --data photos/ --for pico --int8` (fits a Raspberry Pi Pico; or state limits: --max-params 100k)

`edgewise run --data photos/ --max-params 20k,60k,200k` (one search, a network for each; then export --pick)

`edgewise run --data photos/ --compare random-search` (beside random cells that cost as many seconds)

`edgewise run --resume runs/photos`
"""
SEARCH_EXAMPLES = """Examples:

`edgewise search --data cifar10 --preset small --out runs/search`

`edgewise search --recipe darts --set projection.direction=out`

`edgewise search --recipe r-darts-es --space s1`

`edgewise search --data cifar10 --space nb201 --truth nb201.csv` (what each epoch's cell really reaches)
"""
TRAIN_EXAMPLES = """Examples:

`edgewise train runs/search/genotype.json --data cifar10 --preset small`

`edgewise train PC_DARTS_cifar --data cifar10 --preset paper` (a published cell)

`edgewise train genotypes.py:PDARTS --data cifar10` (a file of the authors' code)
"""
SELECT_EXAMPLES = """Examples:

`edgewise select DARTS_V2 PC_DARTS_cifar resnet8 --data photos/ --max-params 80k`

`edgewise select runs/a runs/b genotype.json --data cifar10 --preset small --for pico --int8`

`edgewise select NB201_ResNet NB201_best_cifar10 --set selection.rungs=2 --set selection.epochs=4`
"""
