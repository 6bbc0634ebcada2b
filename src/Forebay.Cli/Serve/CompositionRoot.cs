using System.Net;
using Forebay.Admin;
using Forebay.Admin.Authentication;
using Forebay.Cli.Configuration;
using Forebay.Core;
using Forebay.DataPlane;
using Forebay.Engine;
using Forebay.Engine.Limits;
using Forebay.Engine.Options;
using Forebay.S3;
using Forebay.S3.Authentication;
using Forebay.UnderStores;
using Microsoft.Extensions.Logging;

namespace Forebay.Cli.Serve;

/// <summary>The one place that knows every room: it turns a configuration into stores, engine and edges.</summary>
internal static class CompositionRoot
{
    /// <summary>Asks the under-stores whether a source can be used; gives the fault, or null. Contacts nothing.</summary>
    public static string? CheckSource(MountConfiguration mount)
    {
        try
        {
            _ = UnderStoreUrl.Parse(mount.ToUrl(), CredentialsOf(mount.Access));
            return null;
        }
        catch (ForebayException e)
        {
            return e.Message;
        }
    }

    /// <summary>Makes the pieces of a node; nothing listens yet.</summary>
    public static async Task<NodeParts> ComposeAsync(NodePlan plan, CancellationToken cancellationToken)
    {
        ForebayConfiguration configuration = plan.Configuration;
        ProcessLimits.Apply(configuration.Engine.MemoryLimitBytes);
        ILoggerFactory logs = NodeLogging.Create(configuration.Log);
        Dictionary<string, MountConfiguration> mounts = configuration.Mounts.ToDictionary(mount => mount.Engine.Name, StringComparer.Ordinal);

        // Opening the tiers waits for disks: not on the caller's thread, and beside the making of the edges.
        NodeOptions engine = configuration.Engine with { MountPoints = [.. configuration.Engine.MountPoints.Select(mount => mount with { AccessIdentity = IdentityOf(mounts[mount.Name]) })] };
        Task<Node> opening = Task.Run(() => Node.Open(engine, name => plan.Wrap(StoreOf(mounts[name], configuration.Engine.Fill, plan.Time)), plan.Time), cancellationToken);
        S3Options s3Options = S3OptionsOf(configuration);
        Node node = await opening;
        s3Options = s3Options with { MaxConnections = node.OpenFiles.Connections };
        LimitOptions limits = configuration.Engine.Limits;
        var gate = new RequestGate(limits.MaxConcurrentRequests, limits.MaxQueuedRequests);
        var egress = new EgressLimits(limits, plan.Time);
        var endpoint = new S3Endpoint(
            s3Options,
            node,
            new EgressGate(egress, configuration.Keys),
            new ConcurrencyGate(gate),
            plan.Time,
            logs.CreateLogger<S3Endpoint>());
        S3Edge s3 = new(new S3Server(s3Options, endpoint, logs), configuration.S3.Address.ToString());
        Guid nodeId = Guid.NewGuid();
        LendingEdge lending = new(LendingOptionsOf(configuration, nodeId, node, new ReadRights(s3Options)), s3, Environment.GetEnvironmentVariable, plan.Time, logs.CreateLogger<LendingEdge>());
        var admin = new AdminServerOptions
        {
            Node = node,
            Endpoints = () => new DataEndpoints(nodeId.ToString("N"), s3.Bound, lending.Address.Length == 0 ? null : lending.Address),
            Address = EndPointOf(configuration.Admin.Address),
            Authenticators = AuthenticatorsOf(configuration, plan.Time),
            MetricSources = [new S3MetricSource(endpoint.Counters, gate), new LendingMetricSource(lending)],
            Egress = egress,
            NotReadyReason = () => plan.Readiness.IsReady ? null : "the node is starting or draining",
            Time = plan.Time,
            LoggerFactory = logs,
        };
        IEdge[] edges =
        [
            s3,
            lending,
            new AdminEdge(admin, configuration.Admin.Address.ToString()),
        ];
        return new NodeParts(node, edges, async () =>
        {
            await node.DisposeAsync();
            logs.Dispose();
        });
    }

    /// <summary>The under-store of a mount point; nothing is contacted yet.</summary>
    public static IUnderStore StoreOf(MountConfiguration mount, FillOptions fill, TimeProvider time)
        => UnderStoreFactory.Create(UnderStoreUrl.Parse(mount.ToUrl(), CredentialsOf(mount.Access)).Options, fill.ConnectTimeout, fill.MaxConcurrentRanges + fill.MaxAheadObjects + 16, time);

    /// <summary>Whose rights a source is read with; a directory by this process, whatever keys the environment has. The chain is known by what steers it: a role's own keys change every few hours.</summary>
    private static string IdentityOf(MountConfiguration mount)
    {
        SourceAccess access = mount.Access;
        return mount.Source.Scheme is "file" ? "process"
            : access.Anonymous ? "anonymous"
            : access.AccessKeyId is { } id ? $"key {id}"
            : access.Profile is { } profile ? $"profile {profile}"
            : $"chain {Chain("AWS_ACCESS_KEY_ID")} {Chain("AWS_PROFILE")} {Chain("AWS_ROLE_ARN")}";

        static string Chain(string variable) => Environment.GetEnvironmentVariable(variable) ?? "";
    }

    private static UnderStoreCredentials? CredentialsOf(SourceAccess access)
        => access.AccessKeyId is { } id && access.SecretAccessKey is { } secret
            ? new UnderStoreCredentials(id, secret.Reveal(), access.SessionToken?.Reveal())
            : null;

    /// <summary>At most half of the cache is lent: the other half must be able to change.</summary>
    private static FileLenderOptions LendingOptionsOf(ForebayConfiguration configuration, Guid nodeId, Node node, ReadRights rights) => new()
    {
        Path = "",
        NodeId = nodeId,
        Find = node.FindFiles,
        SecretOf = rights.SecretOf,
        MayRead = rights.MayRead,
        MaxConnections = configuration.Engine.Limits.MaxBorrowers,
        MaxFiles = configuration.Engine.Limits.MaxLentFiles,
        MaxBytes = configuration.Engine.Tiers.Sum(tier => tier.QuotaBytes) / 2,
    };

    private static S3Options S3OptionsOf(ForebayConfiguration configuration) => new()
    {
        Listen = [EndPointOf(configuration.S3.Address)],
        Region = configuration.S3.Region,
        AllowAnonymous = configuration.S3.Anonymous,
        VirtualHostDomains = configuration.S3.Domains,
        Tls = configuration.S3 is { TlsCertificate: { } certificate, TlsKey: { } key } ? new TlsOptions(certificate, key) : null,
        AccessKeys = [.. configuration.Keys.Select(AccessKeyOf)],
    };

    private static AccessKeyOptions AccessKeyOf(KeyConfiguration key) => new()
    {
        Id = key.AccessKeyId,
        Secret = key.SecretAccessKey!.Reveal(),
        Grants = [.. key.Prefixes.Select(prefix => GrantOf(prefix, key.Rights))],
    };

    private static AccessGrant GrantOf(string path, KeyRights rights)
    {
        AccessRight right = rights == KeyRights.ReadWrite ? AccessRight.ReadWrite : AccessRight.ReadOnly;
        string trimmed = path.TrimStart('/');
        int slash = trimmed.IndexOf('/', StringComparison.Ordinal);
        return trimmed.Length == 0 ? new AccessGrant("*", "", right)
            : slash < 0 ? new AccessGrant(trimmed, "", right)
            : new AccessGrant(trimmed[..slash], trimmed[(slash + 1)..], right);
    }

    private static List<IAdminAuthenticator> AuthenticatorsOf(ForebayConfiguration configuration, TimeProvider time)
    {
        // A key that only reads, or is bound to prefixes, must not steer the whole node.
        Dictionary<string, string> secrets = configuration.Keys
            .Where(key => key.Rights == KeyRights.ReadWrite && key.Prefixes.Contains("/", StringComparer.Ordinal))
            .ToDictionary(key => key.AccessKeyId, key => key.SecretAccessKey!.Reveal(), StringComparer.Ordinal);
        List<IAdminAuthenticator> authenticators = [new SignatureAuthenticator(secrets.GetValueOrDefault, time)];
        if (configuration.Admin.Token is { } token)
        {
            authenticators.Insert(0, new BearerTokenAuthenticator(token.Reveal()));
        }

        return authenticators;
    }

    private static IPEndPoint EndPointOf(ListenAddress address) => new(address.Host, address.Port);
}
