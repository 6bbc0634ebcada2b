using Forebay.Testing;
using Xunit;

namespace Forebay.Core.Tests;

public sealed class LineBudgetTests
{
    [Fact]
    public void ASecondTakesItsLinesAndTheNextOneTellsHowManyWereLeftOut()
    {
        ManualTimeProvider time = new();
        List<long> told = [];
        LineBudget budget = new(time, linesPerSecond: 3, told.Add);

        Assert.Equal([true, true, true, false, false], Enumerable.Range(0, 5).Select(i => budget.MayLog()));
        Assert.Empty(told);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(budget.MayLog());
        Assert.Equal([2], told);
        Assert.True(budget.MayLog());
        Assert.Equal([2], told);
    }
}
