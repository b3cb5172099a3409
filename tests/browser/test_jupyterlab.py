"""Explorables and figures in a real JupyterLab: a server, a kernel, anywidget and a browser.

tests/browser/test_every_explorable.py gives the modules a model like anywidget's. Here nothing is
imitated: one notebook shows everything, in Lab, as a reader's own would.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import pytest
from playwright.sync_api import expect

from tools.chapters import ROOT
from tutorlib import explorables

SLUGS = explorables.slugs()
TOKEN = "papers-in-motion"
PATIENCE = 120  # s; only ends the wait for what is dead
SEED = 4321
expect.set_options(timeout=1000 * PATIENCE)

FIGURE = """
import plotly.graph_objects as go
alt = "A line that rises from one to three and falls to two"
tl.show(go.Figure(go.Scatter(y=[1, 3, 2])), alt=alt)
"""
CELLS = [
    "import tutorlib as tl\nshown = {}",
    *[f"shown[{slug!r}] = tl.explorable({slug!r})" for slug in SLUGS],
    FIGURE.strip(),
]


def environment(folder):
    """Everything that Jupyter, IPython and tutorlib read or write lies in `folder`."""
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    own = {f"JUPYTER_{name}": str(folder / name.lower()) for name in names}
    own |= {"IPYTHONDIR": str(folder / "ipython"), "HOME": str(folder)}
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    kept = {key: value for key, value in os.environ.items() if key != "TUTORLIB_PROGRESS"}
    return kept | own | {"PYTHONPATH": path, "JUPYTER_NO_CONFIG": "1"}


def write_kernel(folder):
    """A kernel with the Python that runs this test."""
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python", "language": "python"}
    place = folder / "data_dir" / "kernels" / "python3"
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


def write_settings(folder):
    """Lab asks nothing, and keeps in the page the cells off the screen, where a test finds them."""
    settings = {
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    }
    for name, values in settings.items():
        path = folder / "user-settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values), encoding="utf-8")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_until_up(server, address, log):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        ended = server.poll() is not None
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            if not ended and urllib.request.urlopen(f"{address}api?token={TOKEN}", timeout=5):
                return
        if ended:
            break
        time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")


def stop(server, address):
    """End the kernels, then the server; by force what does not go."""
    with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
        request = urllib.request.Request(f"{address}api/shutdown?token={TOKEN}", method="POST")
        urllib.request.urlopen(request, timeout=10)
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Address of a JupyterLab with the notebook test.ipynb."""
    folder = tmp_path_factory.mktemp("lab")
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    kernel = {"name": "python3", "display_name": "Python", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, notebooks / "test.ipynb")
    write_kernel(folder)
    write_settings(folder)
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    options = [
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.ip=127.0.0.1",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={notebooks}",
        f"--LabApp.app_settings_dir={folder / 'settings'}",
        f"--LabApp.user_settings_dir={folder / 'user-settings'}",
        f"--LabApp.workspaces_dir={folder / 'workspaces'}",
        "--LabApp.extension_manager=readonly",  # the other one looks for packages on the network
        "--LabApp.expose_app_in_browser=True",
        "--no-browser",
        "--allow-root",
    ]
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=environment(folder), cwd=notebooks, stdout=output, stderr=output,
        )  # fmt: skip
        try:
            wait_until_up(server, address, log)
            yield address
        finally:
            stop(server, address)


# Runs code in the notebook's kernel, beside its cells, and gives what it printed.
PYTHON = """async (code) => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  let printed = "";
  const asked = kernel.requestExecute({ code });
  asked.onIOPub = ({ header, content }) => {
    if (header.msg_type === "stream") printed += content.text;
    if (header.msg_type === "error") printed += `${content.ename}: ${content.evalue}`;
  };
  await asked.done;
  return printed.trim();
}"""


@pytest.fixture(scope="module")
def notebook(browser, lab):
    """The notebook, opened in Lab with all its cells run; at the end no script may have failed."""
    context = browser.new_context(viewport={"width": 1280, "height": 2000})
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((lab, "ws:", "data:", "blob:"))
            else problems.append(request.url)
        ),
    )
    page.goto(f"{lab}lab/tree/test.ipynb?token={TOKEN}")
    page.wait_for_function(
        "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
    )
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.ready")
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    errors = page.locator('[data-mime-type="application/vnd.jupyter.error"]').all_inner_texts()
    assert not errors, errors
    yield page
    context.close()
    assert not problems, problems


def frame_of(notebook, slug):
    title = explorables.manifest(slug)["title"]
    return notebook.locator(f'.jp-OutputArea-output section.frame[aria-label="{title}"]')


def python(notebook, code):
    return notebook.evaluate(PYTHON, code)


@pytest.mark.parametrize("slug", SLUGS)
def test_the_picture_and_python_follow_each_other(notebook, slug):
    frame = frame_of(notebook, slug)
    frame.scroll_into_view_if_needed()
    seed = frame.locator("#seed")
    default = explorables.manifest(slug)["state"]["seed"]["default"]
    expect(seed).to_have_value(str(default))
    assert python(notebook, f"shown[{slug!r}].seed = {SEED}") == ""
    expect(seed).to_have_value(str(SEED))
    frame.get_by_role("button", name="New seed").click()
    print_seed = f"print(shown[{slug!r}].seed)"
    end = time.monotonic() + PATIENCE
    while (said := python(notebook, print_seed)) != str(SEED + 1) and time.monotonic() < end:
        notebook.wait_for_timeout(100)
    assert said == str(SEED + 1)


def test_a_figure_is_drawn(notebook):
    line = notebook.locator(".jp-OutputArea-output.js-plotly-plot path.js-line")
    expect(line).to_have_attribute("d", re.compile(r"^M[\d.,]+L[\d.,]+L[\d.,]+$"))
    expect(notebook.locator("details.figure-data td").first).to_have_text("0")
