namespace Forebay.UnderStores.S3;

/// <summary>Where requests for one bucket go: immutable, replaced as a whole when the store names another region.</summary>
internal sealed class S3Address
{
    private readonly UnderStoreOptions _options;

    public S3Address(UnderStoreOptions options, string region)
    {
        _options = options;
        Region = region;
        string endpoint = options.Endpoint ?? AwsEndpoint(region);
        int authorityAt = endpoint.IndexOf("://", StringComparison.Ordinal) + 3;
        Host = options.PathStyle ? endpoint[authorityAt..] : $"{options.Root}.{endpoint[authorityAt..]}";
        BaseUrl = endpoint[..authorityAt] + Host;
        PathPrefix = options.PathStyle ? "/" + options.Root : "";
    }

    /// <summary>Region of the signature's scope.</summary>
    public string Region { get; }

    /// <summary>Value of the Host header: port only where it is not the default.</summary>
    public string Host { get; }

    /// <summary>Scheme and host.</summary>
    public string BaseUrl { get; }

    /// <summary>Path of the bucket: empty in virtual-host style, else <c>/bucket</c>.</summary>
    public string PathPrefix { get; }

    /// <summary>Path of the bucket itself, never empty.</summary>
    public string BucketPath => PathPrefix.Length == 0 ? "/" : PathPrefix;

    /// <summary>The same bucket, signed for and, at AWS, found in another region.</summary>
    public S3Address WithRegion(string region) => new(_options, region);

    private static string AwsEndpoint(string region)
        => region.StartsWith("cn-", StringComparison.Ordinal) ? $"https://s3.{region}.amazonaws.com.cn" : $"https://s3.{region}.amazonaws.com";
}
