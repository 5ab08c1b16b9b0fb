"""A network from a file of the user: `model=path/to/file.py:make`.

    def make():
        return {"module": UNet().eval(), "example": torch.zeros(1, 3, 64, 64)}

The function takes nothing and returns a dict of these keys, a tuple of the first four, or an object
that has them as attributes:

    module    any nn.Module of one tensor that torch.export takes; put in eval mode
    example   one input with its batch dimension; left out, the first sample
    inputs    samples [sample, ...] of the example's type; left out, noise like the example
    labels    what is right: a class [sample] (or its name), a class of every pixel [sample, ...],
              numbers of the answer's shape; -1 where nobody knows
    task      classify, segment or regress; left out, what the shapes of answer and labels say
    metric    accuracy, pixel_accuracy, iou, r2 or a function of answers and labels [sample, ...]
              that gives a score for each sample, more is better
    classes   names of the classes
    stages    submodules to cut after, in order; left out, the largest blocks
    trained   False says that the parameters are drawn: no accuracy is reported
    name      in files and results; left out, the file's

torch's generator is seeded before the call, so that drawn parameters are the same every time. The
first four of five samples are for tests, the fifth for calibrating codecs. What is kept of a
network is found under the file's text and the parameters: change either and it is measured anew.
"""

from profiles.models.own.network import Own, load

__all__ = ["Own", "load"]
