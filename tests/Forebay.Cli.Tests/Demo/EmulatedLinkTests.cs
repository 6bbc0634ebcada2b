using Forebay.Cli.Demo;
using Forebay.Core;

namespace Forebay.Cli.Tests.Demo;

public sealed class EmulatedLinkTests
{
    private const long Rate = 1_000_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly SteppedTime _time = new();

    [Fact]
    public async Task ARequestWaitsForItsFirstByte()
    {
        await using EmulatedLink link = new(new OneObject(10), TimeSpan.FromMilliseconds(20), Rate, _time);

        Task<ObjectStat> stat = link.StatAsync("key", null, CancellationToken.None);
        _time.Advance(TimeSpan.FromMilliseconds(19));
        Assert.False(stat.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));

        Assert.Equal(10, (await stat.WaitAsync(Patience)).Length);
    }

    [Fact]
    public async Task BytesComeNoFasterThanTheRateAndLostTimeIsMadeUp()
    {
        await using EmulatedLink link = new(new OneObject(300_000), TimeSpan.Zero, Rate, _time);
        await using UnderStoreRead read = await link.ReadAsync("key", new ByteRange(0, 300_000), null, null, CancellationToken.None).WaitAsync(Patience);
        byte[] buffer = new byte[100_000];

        Task<int> first = read.ReadAsync(buffer, CancellationToken.None).AsTask();
        _time.Advance(TimeSpan.FromMilliseconds(99));
        Assert.False(first.IsCompleted);

        // 101 ms late: the second step is due at 200 ms and has nothing left to wait for.
        _time.Advance(TimeSpan.FromMilliseconds(102));
        Assert.Equal(100_000, await first.WaitAsync(Patience));
        ValueTask<int> second = read.ReadAsync(buffer, CancellationToken.None);
        Assert.True(second.IsCompletedSuccessfully);
        Assert.Equal(100_000, await second);

        Task<int> third = read.ReadAsync(buffer, CancellationToken.None).AsTask();
        Assert.False(third.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(99));
        Assert.Equal(100_000, await third.WaitAsync(Patience));
        Assert.Equal(0, await read.ReadAsync(buffer, CancellationToken.None));
    }

    private sealed class OneObject(long length) : IUnderStore
    {
        private readonly ObjectStat _stat = new("key", length, new VersionToken("v"), DateTimeOffset.UnixEpoch) { ETag = "\"v\"" };

        public UnderStoreId Id => UnderStoreId.From("test", "", "one");

        public string DisplayName => "one object";

        public bool HasDirectories => false;

        public Task<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken) => Task.FromResult(_stat);

        public Task<UnderStoreRead> ReadAsync(string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken)
            => Task.FromResult<UnderStoreRead>(new Zeros { Stat = _stat, Range = range.ClampTo(length) });

        public Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
            => Task.FromResult(new ListPage([new ListEntry("key", _stat)], IsTruncated: false));

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class Zeros : UnderStoreRead
    {
        private long _given;

        public override ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
        {
            int count = (int)Math.Min(destination.Length, Range.Length - _given);
            destination.Span[..count].Clear();
            _given += count;
            return ValueTask.FromResult(count);
        }

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
