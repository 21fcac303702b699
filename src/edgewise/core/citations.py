"""Where the methods come from: the papers to cite, as BibTeX."""

from __future__ import annotations

from edgewise.core import citations_hand_made
from edgewise.core.citation import Citation

THESIS = Citation(
    "thesis",
    r"""@misc{king_gradient_projection,
  title = {Boosting Partial Channel Neural Architecture Search with Gradient Projection},
  author = {King, Ryan},
  howpublished = {Undergraduate thesis, Texas A\&M University, Department of Computer Science and Engineering},
  note = {Research faculty advisors: Bobak Mortazavi and Zhangyang Wang}
}""",
    "Projection of conflicting architecture gradients between the edges of a cell; the copy read states no year.",
)

DARTS = Citation(
    "darts",
    """@inproceedings{liu2019darts,
  title = {{DARTS}: Differentiable Architecture Search},
  author = {Liu, Hanxiao and Simonyan, Karen and Yang, Yiming},
  booktitle = {International Conference on Learning Representations},
  year = {2019},
  eprint = {1806.09055},
  archivePrefix = {arXiv}
}""",
    "The continuous relaxation, the bilevel search and the cell space.",
)

PC_DARTS = Citation(
    "pc-darts",
    """@inproceedings{xu2020pcdarts,
  title = {{PC-DARTS}: Partial Channel Connections for Memory-Efficient Architecture Search},
  author = {Xu, Yuhui and Xie, Lingxi and Zhang, Xiaopeng and Chen, Xin and Qi, Guo-Jun and Tian, Qi
            and Xiong, Hongkai},
  booktitle = {International Conference on Learning Representations},
  year = {2020},
  eprint = {1907.05737},
  archivePrefix = {arXiv}
}""",
    "Partial channels and edge normalisation.",
)

P_DARTS = Citation(
    "p-darts",
    """@inproceedings{chen2019progressive,
  title = {Progressive Differentiable Architecture Search: Bridging the Depth Gap between Search and Evaluation},
  author = {Chen, Xin and Xie, Lingxi and Wu, Jun and Tian, Qi},
  booktitle = {IEEE/CVF International Conference on Computer Vision},
  pages = {1294--1303},
  year = {2019},
  eprint = {1904.12760},
  archivePrefix = {arXiv}
}""",
    "Search in stages of growing depth; dropout on skip connections.",
)

GDAS = Citation(
    "gdas",
    """@inproceedings{dong2019gdas,
  title = {Searching for a Robust Neural Architecture in Four {GPU} Hours},
  author = {Dong, Xuanyi and Yang, Yi},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  pages = {1761--1770},
  year = {2019},
  eprint = {1910.04465},
  archivePrefix = {arXiv}
}""",
    "One operation per edge, sampled by a hard Gumbel softmax.",
)

ROBUST_DARTS = Citation(
    "robust-darts",
    """@inproceedings{zela2020understanding,
  title = {Understanding and Robustifying Differentiable Architecture Search},
  author = {Zela, Arber and Elsken, Thomas and Saikia, Tonmoy and Marrakchi, Yassine and Brox, Thomas
            and Hutter, Frank},
  booktitle = {International Conference on Learning Representations},
  year = {2020},
  eprint = {1909.09656},
  archivePrefix = {arXiv}
}""",
    "Early stopping by the largest eigenvalue of the Hessian; stronger regularisation; spaces S1 to S4.",
)

SMOOTH_DARTS = Citation(
    "smooth-darts",
    """@inproceedings{chen2020stabilizing,
  title = {Stabilizing Differentiable Architecture Search via Perturbation-based Regularization},
  author = {Chen, Xiangning and Hsieh, Cho-Jui},
  booktitle = {International Conference on Machine Learning},
  series = {Proceedings of Machine Learning Research},
  volume = {119},
  pages = {1554--1565},
  year = {2020},
  eprint = {2002.05283},
  archivePrefix = {arXiv}
}""",
    "Random and adversarial perturbation of the mixture in the weight step.",
)

NOISY_DARTS = Citation(
    "noisy-darts",
    """@inproceedings{chu2021noisy,
  title = {Noisy Differentiable Architecture Search},
  author = {Chu, Xiangxiang and Zhang, Bo},
  booktitle = {British Machine Vision Conference},
  year = {2021},
  eprint = {2005.03566},
  archivePrefix = {arXiv}
}""",
    "Noise on the output of skip connections.",
)

GRADIENT_SURGERY = Citation(
    "gradient-surgery",
    """@inproceedings{yu2020gradient,
  title = {Gradient Surgery for Multi-Task Learning},
  author = {Yu, Tianhe and Kumar, Saurabh and Gupta, Abhishek and Levine, Sergey and Hausman, Karol
            and Finn, Chelsea},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {33},
  pages = {5824--5836},
  year = {2020},
  eprint = {2001.06782},
  archivePrefix = {arXiv}
}""",
    "PCGrad: projection of a gradient on the normal plane of one that it conflicts with.",
)

NASNET = Citation(
    "nasnet",
    """@inproceedings{zoph2018learning,
  title = {Learning Transferable Architectures for Scalable Image Recognition},
  author = {Zoph, Barret and Vasudevan, Vijay and Shlens, Jonathon and Le, Quoc V.},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  pages = {8697--8710},
  year = {2018},
  eprint = {1707.07012},
  archivePrefix = {arXiv}
}""",
    "The cell-based space with normal and reduction cells, and its controller.",
)

AMOEBANET = Citation(
    "amoebanet",
    """@inproceedings{real2019regularized,
  title = {Regularized Evolution for Image Classifier Architecture Search},
  author = {Real, Esteban and Aggarwal, Alok and Huang, Yanping and Le, Quoc V.},
  booktitle = {AAAI Conference on Artificial Intelligence},
  volume = {33},
  number = {01},
  pages = {4780--4789},
  year = {2019},
  eprint = {1802.01548},
  archivePrefix = {arXiv}
}""",
    "Regularised evolution and the AmoebaNet cells.",
)

FRACTALNET = Citation(
    "fractalnet",
    """@inproceedings{larsson2017fractalnet,
  title = {{FractalNet}: Ultra-Deep Neural Networks without Residuals},
  author = {Larsson, Gustav and Maire, Michael and Shakhnarovich, Gregory},
  booktitle = {International Conference on Learning Representations},
  year = {2017},
  eprint = {1605.07648},
  archivePrefix = {arXiv}
}""",
    "Drop-path.",
)

CUTOUT = Citation(
    "cutout",
    """@misc{devries2017cutout,
  title = {Improved Regularization of Convolutional Neural Networks with Cutout},
  author = {DeVries, Terrance and Taylor, Graham W.},
  year = {2017},
  eprint = {1708.04552},
  archivePrefix = {arXiv}
}""",
    "Cutout.",
)

SGDR = Citation(
    "sgdr",
    """@inproceedings{loshchilov2017sgdr,
  title = {{SGDR}: Stochastic Gradient Descent with Warm Restarts},
  author = {Loshchilov, Ilya and Hutter, Frank},
  booktitle = {International Conference on Learning Representations},
  year = {2017},
  eprint = {1608.03983},
  archivePrefix = {arXiv}
}""",
    "The cosine schedule of learning rates.",
)

GOOGLENET = Citation(
    "googlenet",
    """@inproceedings{szegedy2015going,
  title = {Going Deeper with Convolutions},
  author = {Szegedy, Christian and Liu, Wei and Jia, Yangqing and Sermanet, Pierre and Reed, Scott
            and Anguelov, Dragomir
            and Erhan, Dumitru and Vanhoucke, Vincent and Rabinovich, Andrew},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  pages = {1--9},
  year = {2015},
  eprint = {1409.4842},
  archivePrefix = {arXiv}
}""",
    "Auxiliary heads.",
)

NAS_BENCH_201 = Citation(
    "nas-bench-201",
    """@inproceedings{dong2020nasbench201,
  title = {{NAS-Bench-201}: Extending the Scope of Reproducible Neural Architecture Search},
  author = {Dong, Xuanyi and Yang, Yi},
  booktitle = {International Conference on Learning Representations},
  year = {2020},
  eprint = {2001.00326},
  archivePrefix = {arXiv}
}""",
    "A space of 15,625 cells, all of them trained.",
)

NEAT = Citation(
    "neat",
    """@article{stanley2002evolving,
  title = {Evolving Neural Networks through Augmenting Topologies},
  author = {Stanley, Kenneth O. and Miikkulainen, Risto},
  journal = {Evolutionary Computation},
  volume = {10},
  number = {2},
  pages = {99--127},
  year = {2002},
  doi = {10.1162/106365602320169811}
}""",
    "Evolution of topologies with innovation numbers and species.",
)

CIFAR = Citation(
    "cifar",
    """@techreport{krizhevsky2009learning,
  title = {Learning Multiple Layers of Features from Tiny Images},
  author = {Krizhevsky, Alex},
  institution = {University of Toronto},
  year = {2009}
}""",
    "The data sets CIFAR-10 and CIFAR-100.",
)

CITATIONS: dict[str, Citation] = {
    value.key: value
    for value in [*vars().values(), *vars(citations_hand_made).values()]
    if isinstance(value, Citation)
}
"""Every citation by its key."""
