using Forebay.Core;

namespace Forebay.Testing;

/// <summary>An under-store that fails by script. Disposing it leaves the inner store alone.</summary>
public sealed class FaultyUnderStore : IUnderStore
{
    private readonly IUnderStore _inner;
    private readonly TimeProvider _timeProvider;

    public FaultyUnderStore(IUnderStore inner, FaultPlan plan, TimeProvider? timeProvider = null)
    {
        _inner = inner;
        Plan = plan;
        _timeProvider = timeProvider ?? TimeProvider.System;
    }

    public FaultPlan Plan { get; }

    public UnderStoreId Id => _inner.Id;

    public string DisplayName => _inner.DisplayName;

    public bool HasDirectories => _inner.HasDirectories;

    public async Task<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken)
    {
        Fault? fault = Plan.Next(UnderStoreCall.Stat, key, default);
        await EnterAsync(fault, cancellationToken);
        return Disguise(await _inner.StatAsync(key, requestId, cancellationToken), fault);
    }

    public async Task<UnderStoreRead> ReadAsync(string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken)
    {
        Fault? fault = Plan.Next(UnderStoreCall.Read, key, range);
        await EnterAsync(fault, cancellationToken);
        UnderStoreRead read = await _inner.ReadAsync(key, range, expected, requestId, cancellationToken);
        return fault is null ? read : new FaultyRead(read, fault, _timeProvider) { Stat = Disguise(read.Stat, fault), Range = read.Range };
    }

    public async Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
    {
        await EnterAsync(Plan.Next(UnderStoreCall.List, query.Prefix, default), cancellationToken);
        return await _inner.ListAsync(query, requestId, cancellationToken);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task EnterAsync(Fault? fault, CancellationToken cancellationToken)
    {
        if (fault is null)
        {
            return;
        }

        if (fault.Latency > TimeSpan.Zero)
        {
            await Task.Delay(fault.Latency, _timeProvider, cancellationToken);
        }

        if (fault.Until is not null)
        {
            await fault.Until.WaitAsync(cancellationToken);
        }

        if (fault.Error is { } error)
        {
            throw Fresh(error);
        }
    }

    private static ObjectStat Disguise(ObjectStat stat, Fault? fault)
        => fault?.ETag is { } etag ? stat with { ETag = etag, Token = new VersionToken(etag) } : stat;

    /// <summary>A new object for each throw, so that stack traces stay apart.</summary>
    private static ForebayException Fresh(ForebayException error) => new(error.Kind, error.Message) { RetryAfter = error.RetryAfter };

    private sealed class FaultyRead(UnderStoreRead inner, Fault fault, TimeProvider timeProvider) : UnderStoreRead
    {
        private long _done;
        private bool _reached;

        public override bool IsProvisional => fault.IsProvisional || inner.IsProvisional;

        public override async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
        {
            if (fault.LatencyPerRead > TimeSpan.Zero)
            {
                await Task.Delay(fault.LatencyPerRead, timeProvider, cancellationToken);
            }

            if (_done < fault.AfterBytes)
            {
                destination = destination[..(int)Math.Min(destination.Length, fault.AfterBytes - _done)];
            }
            else
            {
                await ReachAsync(cancellationToken);
            }

            if (_reached && fault.ThenEnd)
            {
                return 0;
            }

            int read = await inner.ReadAsync(destination, cancellationToken);
            if (_reached && fault.ThenCorrupt)
            {
                Flip(destination.Span[..read]);
            }

            _done += read;
            return read;
        }

        public override ValueTask DisposeAsync() => inner.DisposeAsync();

        private async Task ReachAsync(CancellationToken cancellationToken)
        {
            if (!_reached)
            {
                _reached = true;
                fault.ThenRun?.Invoke();
                if (fault.ThenUntil is not null)
                {
                    await fault.ThenUntil.WaitAsync(cancellationToken);
                }
            }

            if (fault.ThenError is { } error)
            {
                throw Fresh(error);
            }
        }

        private static void Flip(Span<byte> bytes)
        {
            foreach (ref byte b in bytes)
            {
                b ^= 0x5A;
            }
        }
    }
}
