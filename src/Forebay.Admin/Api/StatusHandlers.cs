using System.Net;
using System.Text;
using Forebay.Admin.Metrics;
using Forebay.Core;
using Forebay.Engine.Status;

namespace Forebay.Admin.Api;

/// <summary>What a node says about itself.</summary>
internal static class StatusHandlers
{
    public static Task VersionAsync(AdminContext context)
        => context.WriteAsync(new VersionInfo(context.Node.GetStatus().Version, "v1"), AdminJson.Default.VersionInfo);

    public static Task EndpointsAsync(AdminContext context)
    {
        if (context.Options.Endpoints?.Invoke() is not { } endpoints)
        {
            throw new ForebayException(ErrorKind.NotFound, "This is the worker of a mount: it serves no data over the network.");
        }

        Uri s3 = endpoints.S3;
        if (IPAddress.TryParse(s3.Host.Trim('[', ']'), out IPAddress? host) && (host.Equals(IPAddress.Any) || host.Equals(IPAddress.IPv6Any)))
        {
            s3 = new UriBuilder(s3) { Host = context.Http.Request.Host.Host }.Uri;
        }

        return context.WriteAsync(new NodeEndpoints(endpoints.NodeId, s3.GetLeftPart(UriPartial.Authority), endpoints.Socket), AdminJson.Default.NodeEndpoints);
    }

    public static Task StatusAsync(AdminContext context)
        => context.WriteAsync(context.Node.GetStatus(), AdminJson.Default.NodeStatus);

    public static Task MountsAsync(AdminContext context)
        => context.WriteAsync<IReadOnlyList<MountPointStatus>>(context.Node.GetStatus().MountPoints, AdminJson.Default.IReadOnlyListMountPointStatus);

    public static Task OpenApiAsync(AdminContext context)
        => context.WriteBytesAsync(EmbeddedFile.Read("openapi.json"), "application/json");

    public static Task MetricsAsync(AdminContext context)
    {
        var sink = new MetricSink();
        NodeMetricSource.Collect(context.Node.GetStatus(), context.Options.Time, sink);
        foreach (IMetricSource source in context.Options.MetricSources)
        {
            source.Collect(sink);
        }

        return context.WriteBytesAsync(Encoding.UTF8.GetBytes(PrometheusText.Write(sink)), PrometheusText.ContentType);
    }

    public static Task HealthAsync(AdminContext context) => context.WriteBytesAsync("ok\n"u8.ToArray(), "text/plain; charset=utf-8");

    public static Task ReadyAsync(AdminContext context)
        => context.Options.NotReadyReason() is { } reason
            ? context.WriteBytesAsync(Encoding.UTF8.GetBytes($"not ready: {reason}\n"), "text/plain; charset=utf-8", status: 503)
            : context.WriteBytesAsync("ready\n"u8.ToArray(), "text/plain; charset=utf-8");
}
