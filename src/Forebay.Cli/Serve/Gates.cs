using Forebay.Cli.Configuration;
using Forebay.Engine.Limits;
using Forebay.S3.Sending;

namespace Forebay.Cli.Serve;

/// <summary>Lets the S3 endpoint take its turns from the node's request gate.</summary>
internal sealed class ConcurrencyGate(RequestGate gate) : IConcurrencyGate
{
    public ValueTask<bool> TryEnterAsync(CancellationToken cancellationToken) => gate.TryEnterAsync(cancellationToken);

    public void Exit() => gate.Exit();
}

/// <summary>Lets the S3 endpoint pace its bodies by the node's egress limits.</summary>
internal sealed class EgressGate(EgressLimits limits, IReadOnlyList<KeyConfiguration> keys) : IEgressGate
{
    private readonly Dictionary<string, long?> _keyRates = keys.ToDictionary(key => key.AccessKeyId, key => key.BytesPerSecond, StringComparer.Ordinal);

    public object Connect() => limits.Connect();

    public ValueTask<long> AcquireAsync(object connection, string? accessKeyId, long wantedBytes, CancellationToken cancellationToken)
    {
        long? keyRate = accessKeyId is null ? null : _keyRates.GetValueOrDefault(accessKeyId);
        return limits.Begin((EgressConnection)connection, accessKeyId, keyRate).AcquireAsync(wantedBytes, cancellationToken);
    }
}
