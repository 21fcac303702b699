"""Where networks that are made by hand come from."""

from __future__ import annotations

from edgewise.core.citation import Citation

RESNET = Citation(
    "resnet",
    """@inproceedings{he2016deep,
  title = {Deep Residual Learning for Image Recognition},
  author = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  pages = {770--778},
  year = {2016},
  eprint = {1512.03385},
  archivePrefix = {arXiv}
}""",
    "Residual blocks, of which the network made by hand consists.",
)

MOBILENET_V2 = Citation(
    "mobilenetv2",
    """@inproceedings{sandler2018mobilenetv2,
  title = {{MobileNetV2}: Inverted Residuals and Linear Bottlenecks},
  author = {Sandler, Mark and Howard, Andrew and Zhu, Menglong and Zhmoginov, Andrey and Chen, Liang-Chieh},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  pages = {4510--4520},
  year = {2018},
  eprint = {1801.04381},
  archivePrefix = {arXiv}
}""",
    "Inverted residual blocks, of which a network made by hand consists.",
)

MLPERF_TINY = Citation(
    "mlperf-tiny",
    """@inproceedings{banbury2021mlperf,
  title = {{MLPerf} Tiny Benchmark},
  author = {Banbury, Colby and Reddi, Vijay Janapa and Torelli, Peter and Holleman, Jeremy and Jeffries, Nat
            and Kiraly, Csaba and Montino, Pietro and Kanter, David and Ahmed, Sebastian and Pau, Danilo
            and Thakker, Urmish and Torrini, Antonio and Warden, Peter and Cordaro, Jay
            and Di Guglielmo, Giuseppe and Duarte, Javier and Gibellini, Stephen and Parekh, Videet
            and Tran, Honson and Tran, Nhan and Niu, Wenxu and Xu, Xuesong},
  booktitle = {Neural Information Processing Systems, Datasets and Benchmarks Track},
  year = {2021},
  eprint = {2106.07597},
  archivePrefix = {arXiv}
}""",
    "ResNet-8, the reference network for images of CIFAR-10's size.",
)
