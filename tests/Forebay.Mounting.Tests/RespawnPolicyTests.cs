using Forebay.Mounting.Holding;

namespace Forebay.Mounting.Tests;

public sealed class RespawnPolicyTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void AWorkerThatAnsweredIsReplacedAtOnceHoweverOftenItDies()
    {
        RespawnPolicy policy = new(_time);

        for (int i = 0; i < 1000; i++)
        {
            Assert.Equal(TimeSpan.Zero, policy.Died(answered: true, TimeSpan.Zero));
        }
    }

    [Fact]
    public void WorkersThatNeverAnswerAreStartedLessAndLessOften()
    {
        RespawnPolicy policy = new(_time);

        double[] delays = [.. Enumerable.Range(0, 12).Select(_ => policy.Died(answered: false, TimeSpan.Zero)!.Value.TotalMilliseconds)];

        Assert.Equal([0, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000], delays);
    }

    [Fact]
    public void AnAnswerForgetsTheFailuresBefore()
    {
        RespawnPolicy policy = new(_time);
        policy.Died(answered: false, TimeSpan.Zero);
        policy.Died(answered: false, TimeSpan.Zero);

        policy.Answered();

        Assert.Equal(TimeSpan.Zero, policy.Died(answered: false, TimeSpan.Zero));
        Assert.Equal(RespawnPolicy.FirstDelay, policy.Died(answered: false, TimeSpan.Zero));
    }

    [Fact]
    public void AfterTwoMinutesWithoutAnAnswerCallersAreNotKeptWaiting()
    {
        RespawnPolicy policy = new(_time);
        Assert.NotNull(policy.Died(answered: false, TimeSpan.Zero));
        _time.Advance(RespawnPolicy.GiveUpAfter - TimeSpan.FromSeconds(1));
        Assert.NotNull(policy.Died(answered: false, TimeSpan.Zero));

        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Null(policy.Died(answered: false, TimeSpan.Zero));
    }

    [Fact]
    public void AWorkerThatServedWithoutBeingAskedAnythingIsNoFailure()
    {
        RespawnPolicy policy = new(_time);
        policy.Died(answered: false, TimeSpan.Zero);
        policy.Died(answered: false, TimeSpan.Zero);
        _time.Advance(TimeSpan.FromHours(3));

        Assert.Equal(TimeSpan.Zero, policy.Died(answered: false, TimeSpan.FromHours(3)));
        Assert.Equal(RespawnPolicy.FirstDelay, policy.Died(answered: false, TimeSpan.Zero));
    }
}
