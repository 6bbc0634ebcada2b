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
            IReadOnlyList<MetricSample> samples = sink.SamplesOf(metric);
            if (samples.Count == 0)
            {
                continue;
            }

            text.Append("# HELP ").Append(metric.Name).Append(' ').Append(metric.Help.Replace("\\", "\\\\", StringComparison.Ordinal)).Append('\n');
            text.Append("# TYPE ").Append(metric.Name).Append(' ').Append(WordOf(metric.Type)).Append('\n');
            foreach (MetricSample sample in samples)
            {
                if (sample.Histogram is { } histogram)
                {
                    Append(text, metric, sample.Labels, histogram);
                    continue;
                }

                Append(text, metric, "", sample.Labels, bound: null, sample.Value);
            }
        }

        return text.ToString();
    }

    /// <summary>The word for a type, here and in the documentation.</summary>
    public static string WordOf(MetricType type) => type switch
    {
        MetricType.Counter => "counter",
        MetricType.Histogram => "histogram",
        _ => "gauge",
    };

    /// <summary>The format has each bucket hold those before it too, and the last one everything.</summary>
    private static void Append(StringBuilder text, MetricDefinition metric, string[] labels, MetricHistogram histogram)
    {
        long below = 0;
        for (int i = 0; i < histogram.Counts.Count; i++)
        {
            below += histogram.Counts[i];
            Append(text, metric, "_bucket", labels, i < histogram.UpperBounds.Count ? Number(histogram.UpperBounds[i]) : "+Inf", below);
        }

        Append(text, metric, "_sum", labels, bound: null, histogram.Sum);
        Append(text, metric, "_count", labels, bound: null, below);
    }

    private static void Append(StringBuilder text, MetricDefinition metric, string suffix, string[] labels, string? bound, double value)
    {
        text.Append(metric.Name).Append(suffix);
        for (int i = 0; i < labels.Length; i++)
        {
            text.Append(i == 0 ? '{' : ',').Append(metric.Labels[i]).Append("=\"").Append(Escape(labels[i])).Append('"');
        }

        if (bound is not null)
        {
            text.Append(labels.Length == 0 ? '{' : ',').Append("le=\"").Append(bound).Append('"');
        }

        text.Append(labels.Length > 0 || bound is not null ? "} " : " ").Append(Number(value)).Append('\n');
    }

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static string Escape(string value)
        => value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}
