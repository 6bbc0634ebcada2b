using Forebay.Testing;
using Xunit;

namespace Forebay.Core.Tests;

public sealed class TimeProviderExtensionsTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void AMomentIsReachedWhenTheTimeHasPassedAndNotBefore()
    {
        _time.Advance(TimeSpan.FromHours(1));
        long moment = _time.After(TimeSpan.FromMilliseconds(250));

        _time.Advance(TimeSpan.FromMilliseconds(249));
        Assert.True(_time.GetTimestamp() < moment);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(moment, _time.GetTimestamp());
        Assert.Equal(moment, _time.After(moment, TimeSpan.Zero));
        Assert.Equal(moment + _time.TimestampFrequency, _time.After(moment, TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void WhatCannotBeToldIsNever()
    {
        _time.Advance(TimeSpan.FromHours(1));

        Assert.Equal(long.MaxValue, _time.After(TimeSpan.MaxValue));
        Assert.Equal(long.MaxValue, _time.After(long.MaxValue - 1, TimeSpan.FromSeconds(1)));
        Assert.Equal(long.MaxValue, _time.After(long.MaxValue, TimeSpan.Zero));
    }
}
