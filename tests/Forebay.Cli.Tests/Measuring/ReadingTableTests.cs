using Forebay.Cli.Measuring;

namespace Forebay.Cli.Tests.Measuring;

public sealed class ReadingTableTests
{
    [Fact]
    public void ColumnsLineUpAndNumbersHaveTheirUnits()
    {
        using StringWriter output = new();

        ReadingTable.Write(output,
        [
            new Reading("model, straight over the link", TimeSpan.FromSeconds(2), 100_000_000, null, 100_000_000),
            new Reading("model, hot", TimeSpan.FromMilliseconds(50), 100_000_000, 1, 0),
        ]);

        Assert.Equal(
            """
              operation                        time  MB/s  hit ratio  from the source
              -----------------------------  ------  ----  ---------  ---------------
              model, straight over the link  2.00 s    50          –           95 MiB
              model, hot                     0.05 s  2000      100 %              0 B

            """,
            output.ToString());
    }

    [Fact]
    public void TheJsonHasTheSameRowsWithUnitsInTheNames()
    {
        using StringWriter output = new();

        ReadingTable.WriteJson(output, [new Reading("hot", TimeSpan.FromSeconds(2), 100, 0.5, 7), new Reading("direct", TimeSpan.FromSeconds(1), 100, null, null)]);

        Assert.Equal(
            """{"rows":[{"operation":"hot","seconds":2,"bytes":100,"bytesPerSecond":50,"hitRatio":0.5,"sourceBytes":7},{"operation":"direct","seconds":1,"bytes":100,"bytesPerSecond":100,"hitRatio":null,"sourceBytes":null}]}""",
            output.ToString().TrimEnd());
    }
}
