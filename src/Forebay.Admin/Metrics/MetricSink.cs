namespace Forebay.Admin.Metrics;

/// <summary>Collects the samples of one scrape. Not thread-safe.</summary>
public sealed class MetricSink
{
    private readonly Dictionary<string, List<MetricSample>> _samples = new(StringComparer.Ordinal);

    /// <summary>Adds a sample of a counter or gauge.</summary>
    /// <param name="metric">A metric of <see cref="MetricCatalog"/>.</param>
    /// <param name="value">Its value in the metric's unit.</param>
    /// <param name="labels">Values of the metric's labels, in their order.</param>
    /// <exception cref="ArgumentException">The metric is not in the catalogue, is a histogram, or the labels do not fit it.</exception>
    public void Add(MetricDefinition metric, double value, params ReadOnlySpan<string> labels) => Put(metric, isHistogram: false, value, histogram: null, labels);

    /// <summary>Adds a sample of a histogram.</summary>
    /// <param name="metric">A metric of <see cref="MetricCatalog"/>.</param>
    /// <param name="histogram">What was seen.</param>
    /// <param name="labels">Values of the metric's labels, in their order.</param>
    /// <exception cref="ArgumentException">The metric is not in the catalogue, is no histogram, the labels do not fit it, or there is not one bucket more than bounds.</exception>
    public void Add(MetricDefinition metric, MetricHistogram histogram, params ReadOnlySpan<string> labels)
    {
        ArgumentNullException.ThrowIfNull(histogram);
        if (histogram.Counts.Count != histogram.UpperBounds.Count + 1)
        {
            throw new ArgumentException("A histogram has one bucket more than bounds.", nameof(histogram));
        }

        Put(metric, isHistogram: true, value: 0, histogram, labels);
    }

    internal IReadOnlyList<MetricSample> SamplesOf(MetricDefinition metric)
        => _samples.TryGetValue(metric.Name, out List<MetricSample>? samples) ? samples : [];

    private void Put(MetricDefinition metric, bool isHistogram, double value, MetricHistogram? histogram, ReadOnlySpan<string> labels)
    {
        ArgumentNullException.ThrowIfNull(metric);
        if (!MetricCatalog.Contains(metric) || labels.Length != metric.Labels.Count || metric.Type == MetricType.Histogram != isHistogram)
        {
            throw new ArgumentException($"'{metric.Name}' with {labels.Length} labels is not in the catalogue.", nameof(metric));
        }

        if (!_samples.TryGetValue(metric.Name, out List<MetricSample>? samples))
        {
            samples = [];
            _samples[metric.Name] = samples;
        }

        samples.Add(new MetricSample(labels.ToArray(), value, histogram));
    }
}

/// <summary>One sample: a value, or a histogram.</summary>
internal readonly record struct MetricSample(string[] Labels, double Value, MetricHistogram? Histogram);
