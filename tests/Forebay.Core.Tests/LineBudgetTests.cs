using Forebay.Testing;
using Xunit;

namespace Forebay.Core.Tests;

public sealed class LineBudgetTests
{
    [Fact]
    public void ASecondTakesItsLinesAndTheNextOneTellsHowManyWereLeftOut()
    {
        ManualTimeProvider time = new();
        LineBudget budget = new(time, linesPerSecond: 3);

        Assert.Equal([true, true, true, false, false], Enumerable.Range(0, 5).Select(i => budget.TryTake(out _)));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(budget.TryTake(out long suppressed));
        Assert.Equal(2, suppressed);
        Assert.True(budget.TryTake(out suppressed));
        Assert.Equal(0, suppressed);
    }
}
