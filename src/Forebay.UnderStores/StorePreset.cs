namespace Forebay.UnderStores;

/// <summary>What a URL scheme of the S3 family stands for: every preset is <c>s3://</c> with other defaults.</summary>
/// <param name="Scheme">Lower-case URL scheme.</param>
/// <param name="EndpointFormat">Endpoint with <c>{region}</c> in it; null when the endpoint must be given (MinIO) or follows AWS's rule.</param>
/// <param name="DefaultRegion">Region without one in the URL; null when it must be given (unless an endpoint is).</param>
/// <param name="PathStyle">Addressing at the preset's own endpoint.</param>
internal sealed record StorePreset(string Scheme, string? EndpointFormat, string? DefaultRegion, bool PathStyle)
{
    /// <summary>All presets.</summary>
    public static IReadOnlyList<StorePreset> All { get; } =
    [
        new("s3", null, "us-east-1", PathStyle: false),
        new("oss", "https://s3.oss-{region}.aliyuncs.com", null, PathStyle: false),
        new("cos", "https://cos.{region}.myqcloud.com", null, PathStyle: false),
        new("obs", "https://obs.{region}.myhuaweicloud.com", null, PathStyle: false),
        new("minio", null, "us-east-1", PathStyle: true),
    ];

    /// <summary>Hosts whose operators offer virtual-host style only, or prefer it; at any other given endpoint path style is the default.</summary>
    private static readonly string[] VirtualHostDomains = [".amazonaws.com", ".amazonaws.com.cn", ".aliyuncs.com", ".myqcloud.com", ".myhuaweicloud.com"];

    /// <summary>Addressing when the URL does not say.</summary>
    /// <param name="endpoint">Endpoint given in the URL, or null.</param>
    /// <param name="bucket">A bucket with dots has no valid certificate as a host name.</param>
    public bool DefaultPathStyle(string? endpoint, string bucket)
    {
        if (endpoint is null)
        {
            return PathStyle || (EndpointFormat is null && bucket.Contains('.', StringComparison.Ordinal));
        }

        string host = new Uri(endpoint).Host;
        return !Array.Exists(VirtualHostDomains, domain => host.EndsWith(domain, StringComparison.Ordinal));
    }
}
