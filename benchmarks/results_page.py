from pathlib import Path
OURS = "dynst_linear"
BASELINES = ("a_optimal", "forward", "pivoted_qr", "mutual_information", "coverage")
PLANNED = (OURS, *BASELINES, "variance", "uniform_random")
def write(out, to): pass
