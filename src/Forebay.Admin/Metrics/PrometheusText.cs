using System.Globalization;
using System.Text;

namespace Forebay.Admin.Metrics;

/// <summary>Writes samples in the Prometheus text format 0.0.4, in the order of the catalogue.</summary>
internal static class PrometheusText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    public static string Write(MetricSink sink)
    {
        var text = new StringBuilder();
        foreach (MetricDefinition metric in MetricCatalog.All)
        {
            IReadOnlyList<(string[] Labels, double Value)> samples = sink.SamplesOf(metric);
            if (samples.Count == 0)
            {
                continue;
            }

            text.Append("# HELP ").Append(metric.Name).Append(' ').Append(metric.Help.Replace("\\", "\\\\", StringComparison.Ordinal)).Append('\n');
            text.Append("# TYPE ").Append(metric.Name).Append(' ').Append(metric.Type == MetricType.Counter ? "counter" : "gauge").Append('\n');
            foreach ((string[] labels, double value) in samples)
            {
                text.Append(metric.Name);
                AppendLabels(text, metric, labels);
                text.Append(' ').Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
            }
        }

        return text.ToString();
    }

    private static void AppendLabels(StringBuilder text, MetricDefinition metric, string[] labels)
    {
        for (int i = 0; i < labels.Length; i++)
        {
            text.Append(i == 0 ? '{' : ',').Append(metric.Labels[i]).Append("=\"").Append(Escape(labels[i])).Append('"');
        }

        if (labels.Length > 0)
        {
            text.Append('}');
        }
    }

    private static string Escape(string value)
        => value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}
