using Forebay.Caching;
using Forebay.Engine.Options;

namespace Forebay.Cli.Configuration;

/// <summary>Everything <c>forebay serve</c> is told, checked: what the file, the environment and the flags say together.</summary>
internal sealed record ForebayConfiguration
{
    /// <summary>What the engine is told; <see cref="NodeOptions.MountPoints"/> are those of <see cref="Mounts"/>.</summary>
    public NodeOptions Engine { get; init; } = new() { MountPoints = [] };

    /// <summary>Name of the preset of all mount points, or null.</summary>
    public string? Preset { get; init; }

    /// <summary>Mount points with their sources, in the order they were given.</summary>
    public IReadOnlyList<MountConfiguration> Mounts { get; init; } = [];

    /// <summary>The S3 endpoint.</summary>
    public S3Configuration S3 { get; init; } = new();

    /// <summary>Key pairs of the endpoint; empty when none was given (then one is generated).</summary>
    public IReadOnlyList<KeyConfiguration> Keys { get; init; } = [];

    /// <summary>The admin API.</summary>
    public AdminConfiguration Admin { get; init; } = new();

    /// <summary>Logs.</summary>
    public LogConfiguration Log { get; init; } = new();

    /// <summary>True when no cache directory was given and the default one stands in <see cref="NodeOptions.Tiers"/>.</summary>
    public bool DefaultCache { get; init; }
}

/// <summary>What stands at the top of the file.</summary>
internal sealed record TopConfiguration
{
    /// <summary>The engine's part.</summary>
    public NodeOptions Engine { get; init; } = new() { MountPoints = [] };

    /// <summary>Name of the <see cref="Configuration.Preset"/> of the mount points that have none of their own, or null.</summary>
    public string? Preset { get; init; }
}

/// <summary>One mount point: what the engine knows of it, and how its source is reached.</summary>
internal sealed record MountConfiguration
{
    /// <summary>Name of the <see cref="Configuration.Preset"/> below its options, or null.</summary>
    public string? Preset { get; init; }

    /// <summary>The engine's part.</summary>
    public MountPointOptions Engine { get; init; } = new() { Name = "", Source = "" };

    /// <summary>Where it leads, without the prefix.</summary>
    public SourceUrl Source { get; init; } = SourceUrl.None;

    /// <summary>How the source is reached and with whose rights.</summary>
    public SourceAccess Access { get; init; } = new();

    /// <summary>The source with everything but its credentials as one URL, however it was given.</summary>
    public string ToUrl()
    {
        List<string> query = [];
        Add("endpoint", Access.Endpoint);
        Add("region", Access.Region);
        Add("path-style", Access.PathStyle switch { true => "true", false => "false", null => null });
        Add("anonymous", Access.Anonymous ? "true" : null);
        Add("profile", Access.Profile);
        string place = string.Join('/', Source.ToString().Split('/').Select((part, index) => index < 3 ? part : Uri.EscapeDataString(part)));
        return query.Count == 0 ? place : $"{place}?{string.Join('&', query)}";

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                query.Add($"{name}={Uri.EscapeDataString(value)}");
            }
        }
    }
}

/// <summary>How a source is reached; null members are left to the source's scheme and the environment.</summary>
internal sealed record SourceAccess
{
    /// <summary>Endpoint of the service with scheme, for instance <c>https://minio.example:9000</c>.</summary>
    public string? Endpoint { get; init; }

    /// <summary>Region that requests are signed for.</summary>
    public string? Region { get; init; }

    /// <summary>Bucket in the path (true) or in the host name (false).</summary>
    public bool? PathStyle { get; init; }

    /// <summary>Requests are not signed.</summary>
    public bool Anonymous { get; init; }

    /// <summary>Profile of the AWS configuration files.</summary>
    public string? Profile { get; init; }

    /// <summary>Static key pair, first half.</summary>
    public string? AccessKeyId { get; init; }

    /// <summary>Static key pair, second half.</summary>
    public Secret? SecretAccessKey { get; init; }

    /// <summary>Token of temporary credentials.</summary>
    public Secret? SessionToken { get; init; }
}

/// <summary>The S3 endpoint.</summary>
internal sealed record S3Configuration
{
    /// <summary>Where it listens.</summary>
    public ListenAddress Address { get; init; } = new(System.Net.IPAddress.Loopback, 9000);

    /// <summary>The only region accepted in signatures; null for any.</summary>
    public string? Region { get; init; }

    /// <summary>Unsigned requests may read everything.</summary>
    public bool Anonymous { get; init; }

    /// <summary>Host names whose first label is a bucket (virtual-host style).</summary>
    public IReadOnlyList<string> Domains { get; init; } = [];

    /// <summary>PEM file with the certificate chain; TLS is on when it is given.</summary>
    public string? TlsCertificate { get; init; }

    /// <summary>PEM file with the private key.</summary>
    public string? TlsKey { get; init; }
}

/// <summary>What a key may do.</summary>
internal enum KeyRights
{
    /// <summary>Reads and lists.</summary>
    Read,

    /// <summary>Also writes, where the mount point allows it.</summary>
    ReadWrite,
}

/// <summary>A key pair of the endpoint.</summary>
internal sealed record KeyConfiguration
{
    /// <summary>Public half.</summary>
    public string AccessKeyId { get; init; } = "";

    /// <summary>Secret half; null only while it is being read.</summary>
    public Secret? SecretAccessKey { get; init; }

    /// <summary>What it may do.</summary>
    public KeyRights Rights { get; init; } = KeyRights.Read;

    /// <summary>Where: <c>/name/prefix</c> in the namespace; <c>/</c> is everything.</summary>
    public IReadOnlyList<string> Prefixes { get; init; } = ["/"];

    /// <summary>Most bytes a second for this key; null for the general limit.</summary>
    public long? BytesPerSecond { get; init; }
}

/// <summary>The admin API, metrics and health.</summary>
internal sealed record AdminConfiguration
{
    /// <summary>Where it listens.</summary>
    public ListenAddress Address { get; init; } = new(System.Net.IPAddress.Loopback, 9001);

    /// <summary>Bearer token that is accepted beside the endpoint's key pairs.</summary>
    public Secret? Token { get; init; }
}

/// <summary>How much is logged; the names are those of the usual log levels.</summary>
internal enum LogDetail
{
    /// <summary>Every common operation.</summary>
    Debug,

    /// <summary>Rare and useful events.</summary>
    Info,

    /// <summary>Temporary trouble.</summary>
    Warning,

    /// <summary>Something was lost.</summary>
    Error,
}

/// <summary>How a log line looks.</summary>
internal enum LogFormat
{
    /// <summary>For people.</summary>
    Text,

    /// <summary>One JSON object a line.</summary>
    Json,
}

/// <summary>Logs; they go to the standard error.</summary>
internal sealed record LogConfiguration
{
    /// <summary>Least important events that are written.</summary>
    public LogDetail Level { get; init; } = LogDetail.Info;

    /// <summary>How a line looks.</summary>
    public LogFormat Format { get; init; } = LogFormat.Text;
}
