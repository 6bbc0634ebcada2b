using System.Text;
using Forebay.Cli.Configuration;
using Forebay.Cli.Serve;
using Microsoft.Extensions.Logging;

namespace Forebay.Cli.Tests.Serve;

public sealed class NodeLoggingTests
{
    [Fact]
    public async Task AStandardErrorThatTakesNothingHoldsUpNobody()
    {
        TextWriter before = Console.Error;
        using ManualResetEventSlim goesOn = new();
        using HaltedTerminal halted = new(before, goesOn);
        Console.SetError(halted);
        ILoggerFactory factory = NodeLogging.Create(new LogConfiguration());
        Console.SetError(before);
        ILogger log = factory.CreateLogger(HaltedTerminal.Mark);

        await Task.Run(() =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                log.LogWarning("line");
            }
        }).WaitAsync(TimeSpan.FromSeconds(20));

        goesOn.Set();
        factory.Dispose();
    }

    /// <summary>Halts at the lines of this test only: others log at the same time.</summary>
    private sealed class HaltedTerminal(TextWriter inner, ManualResetEventSlim goesOn) : TextWriter
    {
        public const string Mark = "halted-terminal";

        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(string? value)
        {
            if (value?.Contains(Mark, StringComparison.Ordinal) == true)
            {
                goesOn.Wait();
                return;
            }

            inner.Write(value);
        }

        public override void Write(char value) => inner.Write(value);
    }
}
