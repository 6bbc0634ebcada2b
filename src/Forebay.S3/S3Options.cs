using System.Net;

namespace Forebay.S3;

/// <summary>Everything the S3 endpoint is told at start. Defaults live here and in docs/CONFIGURATION.md, nowhere else.</summary>
public sealed record S3Options
{
    /// <summary>Addresses to listen on, at least one; port 0 takes a free port.</summary>
    public IReadOnlyList<IPEndPoint> Listen { get; init; } = [new IPEndPoint(IPAddress.Loopback, 9000)];

    /// <summary>Region that a signature's scope must name; null accepts any.</summary>
    public string? Region { get; init; }

    /// <summary>Key pairs that may sign requests; ids are unique.</summary>
    public IReadOnlyList<AccessKeyOptions> AccessKeys { get; init; } = [];

    /// <summary>Answers reads without a signature, for every bucket.</summary>
    public bool AllowAnonymous { get; init; }

    /// <summary>Domains whose host names <c>BUCKET.DOMAIN</c> name a bucket (virtual-host style); empty for path style only.</summary>
    public IReadOnlyList<string> VirtualHostDomains { get; init; } = [];

    /// <summary>Serves TLS with this certificate; null serves plain HTTP.</summary>
    public TlsOptions? Tls { get; init; }

    /// <summary>Most connections; more are closed at once.</summary>
    public int MaxConnections { get; init; } = 10_000;

    /// <summary>Most bytes of all headers of a request.</summary>
    public int MaxHeaderBytes { get; init; } = 32 * 1024;

    /// <summary>Most headers of a request.</summary>
    public int MaxHeaders { get; init; } = 100;

    /// <summary>Most bytes of the request line, target included.</summary>
    public int MaxRequestLineBytes { get; init; } = 16 * 1024;

    /// <summary>Most bytes of a request body that is read; larger ones are refused unread.</summary>
    public int MaxBodyBytes { get; init; } = 1 << 20;

    /// <summary>Time in which all headers of a request must arrive.</summary>
    public TimeSpan HeadersTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time a connection may idle between two requests.</summary>
    public TimeSpan KeepAliveTimeout { get; init; } = TimeSpan.FromSeconds(75);

    /// <summary>Logs one line for each request.</summary>
    public bool AccessLog { get; init; }

    /// <summary>Largest difference between a request's date and the clock of this node.</summary>
    public TimeSpan MaxClockSkew { get; init; } = TimeSpan.FromMinutes(15);
}

/// <summary>A key pair and what it may do.</summary>
public sealed record AccessKeyOptions
{
    /// <summary>Access key id, sent openly.</summary>
    public required string Id { get; init; }

    /// <summary>Secret access key; never printed.</summary>
    public required string Secret { get; init; }

    /// <summary>Rights; the default is everything everywhere. An empty list grants nothing.</summary>
    public IReadOnlyList<AccessGrant> Grants { get; init; } = [new AccessGrant()];

    /// <summary>Names the key by its id only.</summary>
    public override string ToString() => $"access key {Id}";
}

/// <summary>A right over the keys of one bucket that begin with a prefix.</summary>
/// <param name="Bucket">Bucket, or <c>*</c> for all.</param>
/// <param name="Prefix">Prefix of the keys; empty for all.</param>
/// <param name="Right">What is allowed.</param>
public sealed record AccessGrant(string Bucket = "*", string Prefix = "", AccessRight Right = AccessRight.ReadWrite);

/// <summary>What a grant allows.</summary>
public enum AccessRight
{
    /// <summary>Reading and listing.</summary>
    ReadOnly,

    /// <summary>Reading, listing and writing.</summary>
    ReadWrite,
}

/// <summary>Certificate of the endpoint.</summary>
/// <param name="CertificatePemPath">PEM file with the certificate, its chain behind it.</param>
/// <param name="KeyPemPath">PEM file with the private key.</param>
public sealed record TlsOptions(string CertificatePemPath, string KeyPemPath);
