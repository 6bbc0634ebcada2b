namespace Forebay.Admin.Metrics;

/// <summary>Collects the samples of one scrape. Not thread-safe.</summary>
public sealed class MetricSink
{
    private readonly Dictionary<string, List<(string[] Labels, double Value)>> _samples = new(StringComparer.Ordinal);

    /// <summary>Adds a sample.</summary>
    /// <param name="metric">A metric of <see cref="MetricCatalog"/>.</param>
    /// <param name="value">Its value in the metric's unit.</param>
    /// <param name="labels">Values of the metric's labels, in their order.</param>
    /// <exception cref="ArgumentException">The metric is not in the catalogue, or the labels do not fit it.</exception>
    public void Add(MetricDefinition metric, double value, params ReadOnlySpan<string> labels)
    {
        ArgumentNullException.ThrowIfNull(metric);
        if (!MetricCatalog.Contains(metric) || labels.Length != metric.Labels.Count)
        {
            throw new ArgumentException($"'{metric.Name}' with {labels.Length} labels is not in the catalogue.", nameof(metric));
        }

        if (!_samples.TryGetValue(metric.Name, out List<(string[] Labels, double Value)>? samples))
        {
            samples = [];
            _samples[metric.Name] = samples;
        }

        samples.Add((labels.ToArray(), value));
    }

    internal IReadOnlyList<(string[] Labels, double Value)> SamplesOf(MetricDefinition metric)
        => _samples.TryGetValue(metric.Name, out List<(string[] Labels, double Value)>? samples) ? samples : [];
}
