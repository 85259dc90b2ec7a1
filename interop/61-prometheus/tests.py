"""What Prometheus makes of the metrics, the alerts and the dashboard. Arguments: the folder with the latter, and one for scratch."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

PACKAGING, SCRATCH = sys.argv[1:]
METRICS = f"{os.environ['XMPP_HOST']}:{os.environ['XMPP_METRICS_PORT']}"
ALERTS = f"{PACKAGING}/prometheus/alerts.yml"
PATIENCE_SECONDS = 60


def fetch(url, **fields):
    with urllib.request.urlopen(urllib.request.Request(url, headers=fields), timeout=10) as answer:
        return answer.read().decode()


def promtool(*arguments, text=None):
    """Demands that promtool finds nothing, also nothing that it only advises against."""
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr.strip(), done.stdout + done.stderr


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Prometheus:
    """A Prometheus that reads the server's metrics every second and judges the alerts."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="prometheus.", dir=SCRATCH)
        self.url = f"http://127.0.0.1:{free_port()}"
        config = f"{self.folder.name}/prometheus.yml"
        with open(config, "w") as file:
            json.dump({
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [ALERTS],
                "scrape_configs": [{"job_name": "metronome", "static_configs": [{"targets": [METRICS]}]}],
            }, file)
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder.name}/data",
             f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=warn"])
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.folder.cleanup()

    def ask(self, path, **query):
        answer = json.loads(fetch(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression):
        return self.ask("query", query=expression)["result"]

    def wait_for(self, what, is_there):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "Prometheus has ended"
            try:
                if is_there():
                    return
            except (urllib.error.URLError, ConnectionError):
                pass  # It does not listen yet.
            time.sleep(0.2)
        raise AssertionError(f"{what} did not come: {self.ask('targets')}")


def expressions():
    """All queries of the dashboard, with what Grafana puts into them."""
    with open(f"{PACKAGING}/grafana/metronome.json") as file:
        dashboard = json.load(file)
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".+")
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["expr"].replace("> 0", ">= 0").replace("$instance", ".+")


def the_metrics_have_no_fault():
    promtool("check", "metrics", text=fetch(f"http://{METRICS}/metrics", Accept="text/plain;version=0.0.4"))


def both_formats_tell_the_same():
    def names(accepted):
        text = fetch(f"http://{METRICS}/metrics", Accept=accepted)
        return {re.match(r"\w+(\{.*\})?", line)[0] for line in text.splitlines() if not line.startswith("#")}

    assert names("text/plain") == names("application/openmetrics-text")


def the_alerts_have_no_fault():
    promtool("check", "rules", ALERTS)


def the_alerts_come_when_they_should():
    promtool("test", "rules", f"{PACKAGING}/prometheus/alerts.test.yml")


def prometheus_reads_them(prometheus):
    prometheus.wait_for("a third reading", lambda: prometheus.query('count_over_time(up{job="metronome"}[5m]) > 2'))
    [target] = prometheus.ask("targets")["activeTargets"]
    assert target["health"] == "up" and not target["lastError"], target
    kinds = prometheus.ask("targets/metadata", metric="metronome_store_commit_seconds")
    assert kinds[0]["type"] == "histogram" and kinds[0]["unit"] == "seconds", kinds


def every_query_of_the_dashboard_has_an_answer(prometheus):
    prometheus.wait_for("a third reading", lambda: prometheus.query('count_over_time(up{job="metronome"}[5m]) > 2'))
    silent = [expression for expression in expressions() if not prometheus.query(expression)]
    assert not silent, silent


def every_alert_is_judged(prometheus):
    def rules():
        return [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]

    prometheus.wait_for("a judgement", lambda: rules() and all(rule["health"] != "unknown" for rule in rules()))
    assert all(rule["health"] == "ok" for rule in rules()), rules()
    # The development mode has components that nobody has connected, which is told after ten minutes.
    firing = [rule["name"] for rule in rules() if rule["state"] == "firing"]
    assert not firing, firing


def main():
    with Prometheus() as prometheus:
        alone = [the_metrics_have_no_fault, both_formats_tell_the_same, the_alerts_have_no_fault,
                 the_alerts_come_when_they_should]
        beside = [prometheus_reads_them, every_query_of_the_dashboard_has_an_answer, every_alert_is_judged]
        for test in alone + beside:
            try:
                test(prometheus) if test in beside else test()
                print(f"ok {test.__name__}", flush=True)
            except Exception as error:
                print(f"not ok {test.__name__} {type(error).__name__}: {error}", flush=True)
    print(f"done {len(alone + beside)}")


main()
