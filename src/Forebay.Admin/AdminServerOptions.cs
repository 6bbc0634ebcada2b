using System.Net;
using Forebay.Admin.Authentication;
using Forebay.Admin.Metrics;
using Forebay.Engine;
using Forebay.Engine.Limits;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Forebay.Admin;

/// <summary>What the admin API is told at start.</summary>
public sealed record AdminServerOptions
{
    /// <summary>The default address.</summary>
    public const string DefaultAddress = "127.0.0.1:9001";

    /// <summary>The node it speaks for; not disposed with it.</summary>
    public required INode Node { get; init; }

    /// <summary>Address to listen on; port 0 takes a free one.</summary>
    public IPEndPoint Address { get; init; } = new(IPAddress.Loopback, 9001);

    /// <summary>Path of a local socket to listen on instead of <see cref="Address"/>, for its owner only (0600); what is there is replaced.</summary>
    public string? SocketPath { get; init; }

    /// <summary>Who may call: the first that knows the caller's kind of credentials decides. Empty only together with <see cref="AllowAnonymous"/>.</summary>
    public IReadOnlyList<IAdminAuthenticator> Authenticators { get; init; } = [];

    /// <summary>Everybody may do everything. Off by default.</summary>
    public bool AllowAnonymous { get; init; }

    /// <summary>Host names accepted beside the loopback ones, without port; when listening elsewhere an empty list accepts all.</summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>Where the node's data is; null for a worker of a mount, which serves none.</summary>
    public Func<DataEndpoints>? Endpoints { get; init; }

    /// <summary>Further metrics, for instance of the S3 endpoint.</summary>
    public IReadOnlyList<IMetricSource> MetricSources { get; init; } = [];

    /// <summary>Rates that the bytes of objects keep to, as those of the S3 endpoint do; null for unlimited.</summary>
    public EgressLimits? Egress { get; init; }

    /// <summary>The access log of a mount; null where there is none.</summary>
    public IAccessLogSwitch? AccessLog { get; init; }

    /// <summary>Null when the node serves, else why not; asked by <c>/readyz</c>.</summary>
    public Func<string?> NotReadyReason { get; init; } = static () => null;

    /// <summary>Clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Where to log.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;
}

/// <summary>Where a node's data is.</summary>
/// <param name="NodeId">Drawn when the node starts.</param>
/// <param name="S3">The S3 endpoint as it is bound: its host may stand for all addresses.</param>
/// <param name="Socket">Path of the local socket that hands out cache files; null when there is none.</param>
public sealed record DataEndpoints(string NodeId, Uri S3, string? Socket);
