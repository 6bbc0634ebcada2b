using Forebay.Engine.Limits;
using Forebay.Engine.Options;
using Forebay.Testing;
using Xunit;

namespace Forebay.Admin.Tests;

/// <summary>Bytes that leave by the admin API keep to the node's rates: else they would be the way round them.</summary>
public sealed class AdminEgressTests : AdminFixture
{
    private readonly ManualTimeProvider _time = new();
    private EgressLimits? _egress;

    protected override EgressLimits Egress => _egress ??= new EgressLimits(new LimitOptions { EgressBytesPerSecond = 1_000_000 }, _time);

    [Fact]
    public async Task ObjectsKeepToTheRateOfTheNode()
    {
        using var body = new MemoryStream();
        Task<long> copying = Client.CopyObjectAsync("/data/dir/one.bin", body, Soon);

        Assert.True(SpinWait.SpinUntil(() => _time.ArmedTimers > 0 || copying.IsCompleted, TimeSpan.FromSeconds(20)));
        Assert.False(copying.IsCompleted, "700,000 bytes left at once");
        while (!copying.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(10));
            await Task.Yield();
        }

        Assert.Equal(700_000, await copying);
    }
}
