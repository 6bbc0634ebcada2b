using Forebay.Admin.Metrics;
using Forebay.Engine.Limits;
using Forebay.S3;
using static System.FormattableString;

namespace Forebay.Cli.Serve;

/// <summary>Figures of the S3 endpoint among the node's metrics.</summary>
internal sealed class S3MetricSource(S3Counters counters, RequestGate gate) : IMetricSource
{
    public void Collect(MetricSink sink)
    {
        foreach (S3OperationKind operation in Enum.GetValues<S3OperationKind>())
        {
            for (int statusClass = 2; statusClass <= 5; statusClass++)
            {
                long requests = counters.Requests(operation, statusClass);
                if (requests > 0)
                {
                    sink.Add(MetricCatalog.S3Requests, requests, operation.ToString(), Invariant($"{statusClass}xx"));
                }
            }
        }

        sink.Add(MetricCatalog.S3SentBytes, counters.BytesSentTotal);
        sink.Add(MetricCatalog.S3ActiveRequests, counters.ActiveRequests);
        sink.Add(MetricCatalog.S3Connections, counters.ActiveConnections);
        sink.Add(MetricCatalog.S3QueuedRequests, gate.Queued);
        sink.Add(MetricCatalog.S3RefusedRequests, gate.Refused);
        sink.Add(MetricCatalog.S3AuthenticationFailures, counters.AuthenticationFailures.Values.Sum());
    }
}
