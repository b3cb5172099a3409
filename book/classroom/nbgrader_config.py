"""nbgrader's settings for this course. Run its commands in the folder that holds this file."""

import os

# A submission is executed whole. The small preset runs every cell in seconds; the checks do not
# depend on it.
os.environ.setdefault("TUTORLIB_PRESET", "smoke")

c = get_config()  # noqa: F821 (nbgrader provides it)
c.CourseDirectory.course_id = "papers-in-motion"
c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))
# The stub above the solution says what to write; where the solution was, nothing is left.
c.ClearSolutions.code_stub = {"python": ""}
# Seconds that a cell may take before it is interrupted and the next one runs, that it then has to
# end, and that a kernel may take to start: a busy machine needs more than nbgrader's defaults.
c.ExecutePreprocessor.timeout = 300
c.ExecutePreprocessor.iopub_timeout = 30
c.ExecutePreprocessor.startup_timeout = 300
