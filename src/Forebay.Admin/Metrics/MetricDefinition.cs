namespace Forebay.Admin.Metrics;

/// <summary>How a metric behaves.</summary>
public enum MetricType
{
    /// <summary>Only grows while the process lives.</summary>
    Counter,

    /// <summary>Goes up and down.</summary>
    Gauge,

    /// <summary>How many observations were at most so large; only grows while the process lives.</summary>
    Histogram,
}

/// <summary>What users may build on.</summary>
public enum MetricStability
{
    /// <summary>Name, unit and labels stay within a major version.</summary>
    Stable,

    /// <summary>May change in any version.</summary>
    Experimental,
}

/// <summary>One metric.</summary>
/// <param name="Name">Prometheus name with its unit at the end.</param>
/// <param name="Type">How it behaves.</param>
/// <param name="Unit">bytes, seconds, requests…</param>
/// <param name="Help">One sentence.</param>
/// <param name="Labels">Label names; their values are bounded (never keys or paths of objects).</param>
/// <param name="Stability">What users may build on.</param>
public sealed record MetricDefinition(
    string Name, MetricType Type, string Unit, string Help, IReadOnlyList<string> Labels, MetricStability Stability = MetricStability.Stable);

/// <summary>What a histogram has seen.</summary>
/// <param name="UpperBounds">Largest value of each bucket but the last, in the metric's unit, growing.</param>
/// <param name="Counts">Observations of each bucket by itself; one more than there are bounds.</param>
/// <param name="Sum">Sum of all observations.</param>
public sealed record MetricHistogram(IReadOnlyList<double> UpperBounds, IReadOnlyList<long> Counts, double Sum);

/// <summary>Gives samples of metrics that are in <see cref="MetricCatalog"/>; asked once per scrape. Thread-safe.</summary>
public interface IMetricSource
{
    /// <summary>Adds its samples.</summary>
    void Collect(MetricSink sink);
}
