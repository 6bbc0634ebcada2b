using System.Diagnostics;
using System.Runtime.InteropServices;
using Xunit;

namespace Forebay.Fuse.Tests;

/// <summary>When a thread asks for requests instead of sleeping, and when it stops.</summary>
public sealed class SoloReadingTests : IDisposable
{
    private const int Me = 1;
    private const int Other = 0;
    private static readonly long Microsecond = Stopwatch.Frequency / 1_000_000;
    private readonly SoloReading _solo = new(TimeSpan.FromMicroseconds(50), processors: 2);
    private long _now = Stopwatch.GetTimestamp();

    public void Dispose() => _solo.Dispose();

    [Fact]
    public void QuickRequestsMakeOneThreadTheSoloist()
    {
        Assert.True(Begin(Me));

        Assert.True(_solo.IsOn && _solo.IsSoloist(Me) && !_solo.IsSoloist(Other));
        Assert.Equal(1, _solo.Begun);
        Assert.False(Begin(Other), "there is one already");
        Assert.True(Begin(Me), "the soloist is told again now and then to call the others back");
    }

    [Fact]
    public void SlowRequestsNeverDo()
    {
        for (int i = 0; i < 1000; i++)
        {
            Assert.False(_solo.Count(Me, _now += 101 * Microsecond), $"after {i} requests");
        }
    }

    [Theory]
    [InlineData(0, 2)]
    [InlineData(50, 1)]
    public void ItIsOffWithoutTimeOrWithoutASecondProcessor(int microseconds, int processors)
    {
        using SoloReading off = new(TimeSpan.FromMicroseconds(microseconds), processors);
        for (int i = 0; i < 1000; i++)
        {
            Assert.False(off.Count(Me, _now += Microsecond));
        }
    }

    [Fact]
    public void AskingInVainEndsIt()
    {
        Begin(Me);
        long started = Stopwatch.GetTimestamp();

        Assert.False(_solo.TryAwait(Me, static _ => false, 0));

        Assert.False(_solo.IsOn);
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void ARequestThatComesInTimeKeepsItGoing()
    {
        int found = 0;
        for (int i = 0; i < 1000; i++)
        {
            // On a busy machine the test itself is not let run now and then, which ends it.
            if (!_solo.IsSoloist(Me))
            {
                _now = Math.Max(_now, Stopwatch.GetTimestamp()) + (2 * SoloReading.Rest);
                Assert.True(Begin(Me));
            }

            int asked = 0;
            found += _solo.TryAwait(Me, _ => ++asked == 3, 0) ? 1 : 0;
        }

        Assert.InRange(found, 500, 1000);
    }

    [Fact]
    public void AQueueEndsItForAWhile()
    {
        Begin(Me);
        long before = Stopwatch.GetTimestamp();
        for (int i = 0; i < SoloReading.LongestQueue; i++)
        {
            Assert.True(_solo.TryAwait(Me, static _ => true, 0));
        }

        Assert.False(_solo.IsOn, "the others are needed");
        _now = before;
        Assert.False(Begin(Me), "it began again at once");
        _now = Stopwatch.GetTimestamp() + (2 * SoloReading.Rest);
        Assert.True(Begin(Me));
    }

    [Fact]
    public void AThreadThatWasNotLetRunRests()
    {
        Begin(Me);
        long before = Stopwatch.GetTimestamp();
        long until = 0;

        bool found = _solo.TryAwait(
            Me,
            _ =>
            {
                until = Stopwatch.GetTimestamp() + (2 * SoloReading.Preempted);
                while (Stopwatch.GetTimestamp() < until)
                {
                }

                return false;
            },
            0);

        Assert.False(found);
        Assert.False(_solo.IsOn);
        _now = before;
        Assert.False(Begin(Me));
    }

    [Fact]
    public async Task TheOthersStayAwayUntilItEnds()
    {
        Begin(Me);
        Task<bool> away = Task.Factory.StartNew(
            () =>
            {
                _solo.StayAway();
                return _solo.IsOn;
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        for (int i = 0; i < 2000 && !away.IsCompleted; i++)
        {
            int asked = 0;
            Assert.True(_solo.TryAwait(Me, _ => ++asked == 2, 0) || !_solo.IsOn);
        }

        _solo.End(Me, mustRest: false);

        Assert.False(await away.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void ASoloistThatIsStuckLosesTheDevice()
    {
        Begin(Me);

        _solo.StayAway();

        Assert.False(_solo.IsOn);
    }

    [Fact]
    public void TheEndOfTheSessionLetsEverybodyGo()
    {
        Begin(Me);
        _solo.EndForGood();
        long started = Stopwatch.GetTimestamp();

        _solo.StayAway();
        Assert.False(_solo.TryAwait(Me, static _ => false, 0));

        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(1));
        Assert.False(Begin(Me));
    }

    [Fact]
    public void OnlyRequestsThatAreAnsweredAtOnceAreShort()
    {
        Assert.True(IsShort(FuseOpcode.Open) && IsShort(FuseOpcode.Release) && IsShort(FuseOpcode.Lookup));
        Assert.False(IsShort(FuseOpcode.Read) || IsShort(FuseOpcode.ReadDirectoryPlus) || IsShort(FuseOpcode.Write));
        Assert.False(SoloReading.IsShort(new byte[10]));
    }

    private static bool IsShort(FuseOpcode opcode) => SoloReading.IsShort(MessageOf(opcode));

    /// <summary>Requests every ten microseconds; true when one of them began it, or told to call back.</summary>
    private bool Begin(int thread)
    {
        bool began = false;
        for (int i = 0; i < 2 * SoloReading.QuickRequests; i++)
        {
            began |= _solo.Count(thread, _now += 10 * Microsecond);
        }

        return began;
    }

    private static byte[] MessageOf(FuseOpcode opcode)
    {
        FuseInHeader header = new() { Opcode = (uint)opcode };
        return MemoryMarshal.AsBytes(new ReadOnlySpan<FuseInHeader>(in header)).ToArray();
    }
}
