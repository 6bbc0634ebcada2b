using System.IO.Pipes;
using Forebay.Mounting.Holding;
using Forebay.Mounting.Processes;

namespace Forebay.Mounting.Tests;

public sealed class HolderLogTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void ALogThatGrewIsMovedAsideAndLinksAreNotFollowed()
    {
        File.WriteAllText(_directory["victim"], "precious");
        File.CreateSymbolicLink(_directory["log.old"], _directory["victim"]);
        File.CreateSymbolicLink(_directory["log.new"], _directory["victim"]);
        File.WriteAllBytes(_directory["log"], new byte[HolderLog.MaxBytes + 1]);

        Log(_directory["log"]).Trim();

        Assert.Equal(0, new FileInfo(_directory["log"]).Length);
        Assert.Equal(HolderLog.MaxBytes + 1, new FileInfo(_directory["log.old"]).Length);
        Assert.Null(new FileInfo(_directory["log.old"]).LinkTarget);
        Assert.Equal("precious", File.ReadAllText(_directory["victim"]));
    }

    [Fact]
    public void ALinkInThePlaceOfTheLogIsLeftAlone()
    {
        File.WriteAllBytes(_directory["victim"], new byte[HolderLog.MaxBytes + 1]);
        File.CreateSymbolicLink(_directory["log"], _directory["victim"]);

        Log(_directory["log"]).Trim();

        Assert.Equal(HolderLog.MaxBytes + 1, new FileInfo(_directory["victim"]).Length);
    }

    [Fact]
    public async Task APipeThatNobodyReadsDoesNotHoldUpWhoLogs()
    {
        using AnonymousPipeServerStream reader = new(PipeDirection.In);
        using StandardError error = new((int)reader.ClientSafePipeHandle.DangerousGetHandle());
        HolderLog log = new(error, new ManualTimeProvider(), file: null);

        // Far more than a pipe takes.
        await Task.Run(() =>
        {
            for (int i = 0; i < 20_000; i++)
            {
                log.Warn($"line {i}");
            }
        }).WaitAsync(TimeSpan.FromSeconds(20));

        byte[] some = new byte[65_536];
        int read = await reader.ReadAsync(some);
        Assert.Contains("line 0\n", System.Text.Encoding.UTF8.GetString(some, 0, read), StringComparison.Ordinal);
        log.Warn("at last");
        reader.DisposeLocalCopyOfClientHandle();
        using StreamReader rest = new(reader);
        Assert.Matches(@"\(\d+ lines were left out here\) .*at last", await rest.ReadToEndAsync());
    }

    private static HolderLog Log(string file) => new(TextWriter.Null, new ManualTimeProvider(), file);
}
