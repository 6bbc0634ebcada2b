using Forebay.Cli.Demo;

namespace Forebay.Cli.Tests.Demo;

public sealed class DemoTableTests
{
    [Fact]
    public void ColumnsLineUpAndNumbersHaveTheirUnits()
    {
        using StringWriter output = new();

        DemoTable.Write(output,
        [
            new DemoRow("model, straight over the link", TimeSpan.FromSeconds(2), 100_000_000, null, 100_000_000),
            new DemoRow("model, hot", TimeSpan.FromMilliseconds(50), 100_000_000, 1, 0),
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
}
