// GET /metrics, read.

/** Prometheus' text format as [{name, labels, value}]. */
export const parseMetrics = (text) =>
  text
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => {
      const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line);
      return {
        name,
        labels: Object.fromEntries(
          [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text]),
        ),
        value: Number(value),
      };
    });

export const metricsOf = async (host) => parseMetrics(await (await fetch(`${host.url}/metrics`)).text());

/** Sum of the samples with these labels. */
export const sum = (samples, name, labels = {}) =>
  samples
    .filter(
      (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    )
    .reduce((total, sample) => total + sample.value, 0);

/** How many calls of a tool have ended so; `outcome` as in the log, e.g. "ok", "cancelled". */
export const callsOf = async (host, tool, outcome) =>
  sum(await metricsOf(host), 'toolhost_tool_calls_total', { tool, outcome });

/** How many calls the workers of a plugin are at. */
export const runningCalls = async (host, plugin) =>
  sum(await metricsOf(host), 'toolhost_plugin_running_calls', { plugin });
