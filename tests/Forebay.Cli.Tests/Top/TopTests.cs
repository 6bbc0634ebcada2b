using System.Net.Sockets;
using System.Text.Json;
using Forebay.Admin;
using Forebay.Admin.Client;
using Forebay.Admin.Metrics;
using Forebay.Admin.Tests;
using Forebay.Cli.Top;
using Forebay.Cli.Verbs;
using Forebay.Mounting.Registry;
using Forebay.Testing;

namespace Forebay.Cli.Tests.Top;

public sealed class TopTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task AMountThatDoesNotAnswerIsShownAndHoldsUpNobody()
    {
        await using AdminServer server = await StartAsync("good");
        using Socket deaf = Listening("deaf");
        using Socket rude = Listening("rude");
        _ = HangUpAsync(rude);
        using StringWriter output = new();
        using TopRunner runner = Runner([Mount("good"), Mount("deaf"), Mount("missing"), Mount("rude")], output);

        int code = await runner.RunAsync(new TopRequest([], TimeSpan.FromMilliseconds(100), Once: true, Json: true), CancellationToken.None);

        Assert.Equal(ExitCode.Success, code);
        using JsonDocument json = JsonDocument.Parse(output.ToString());
        JsonElement[] mounts = [.. json.RootElement.GetProperty("mounts").EnumerateArray()];
        Assert.Equal(
            [("/mnt/deaf", "silent"), ("/mnt/good", "ok"), ("/mnt/missing", "silent"), ("/mnt/rude", "silent")],
            mounts.Select(mount => (mount.GetProperty("directory").GetString()!, mount.GetProperty("state").GetString()!)));
        Assert.True(mounts[1].GetProperty("rates").GetProperty("operationsPerSecond").GetDouble() > 0);
        Assert.True(mounts[1].GetProperty("workerResidentBytes").GetInt64() > 1 << 20);
        Assert.Equal(JsonValueKind.Null, mounts[0].GetProperty("rates").ValueKind);
        AssertDocumented(json.RootElement);
    }

    [Fact]
    public async Task AWorkerThatAnsweredOnceIsSilentFromThenOn()
    {
        using Socket socket = Listening("once");
        Task answering = AnswerOnceAsync(socket);
        using StringWriter output = new();
        using TopRunner runner = Runner([Mount("once")], output);

        Assert.Equal(ExitCode.Success, await runner.RunAsync(new TopRequest([], TimeSpan.FromMilliseconds(100), Once: true, Json: true), CancellationToken.None));

        await answering;
        Assert.Contains("\"state\":\"silent\"", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task NobodyWaitsForAMountThatWasSilentTheLastTime()
    {
        ManualTimeProvider time = new();
        TimeSpan interval = TimeSpan.FromSeconds(10);
        using Socket deaf = Listening("deaf");
        using StringWriter output = new();
        using TopRunner runner = new(() => [Mount("deaf")], mount => AdminClient.OverSocket(mount.ControlSocket, TimeProvider.System), output, TextWriter.Null, terminalLines: null, time);

        // One timer of the question, and one of who waits: for the answer first, then for the next table.
        Task<int> running = runner.RunAsync(new TopRequest([], interval, Once: true, Json: true), CancellationToken.None);
        Assert.True(SpinWait.SpinUntil(() => time.ArmedTimers == 2, Patience));
        time.Advance(TopRunner.Patience);
        Assert.True(SpinWait.SpinUntil(() => time.ArmedTimers == 2, Patience));
        time.Advance(interval);

        Assert.Equal(ExitCode.Success, await running.WaitAsync(Patience));
        Assert.Contains("\"state\":\"silent\"", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnlyTheMountsThatAreNamedAreShown()
    {
        using StringWriter output = new();
        using TopRunner runner = Runner([Mount("one"), Mount("two")], output);

        await runner.RunAsync(new TopRequest(["/mnt/two/"], TimeSpan.FromMilliseconds(100), Once: true, Json: true), CancellationToken.None);

        using JsonDocument json = JsonDocument.Parse(output.ToString());
        Assert.Equal(["/mnt/two"], json.RootElement.GetProperty("mounts").EnumerateArray().Select(mount => mount.GetProperty("directory").GetString()));
    }

    [Theory]
    [InlineData(true, VerbExitCode.Interrupted)]
    [InlineData(false, ExitCode.Success)]
    public async Task WhoEndsItBeforeItsOneTableIsToldSo(bool once, int code)
    {
        using StringWriter output = new();
        using TopRunner runner = Runner([Mount("one")], output);
        using CancellationTokenSource stop = new();
        await stop.CancelAsync();

        Assert.Equal(code, await runner.RunAsync(new TopRequest([], TimeSpan.FromSeconds(1), once, Json: true), stop.Token));
        Assert.Equal("", output.ToString());
    }

    [Fact]
    public async Task WithoutATerminalTablesFollowEachOtherWithoutEscapes()
    {
        await using AdminServer server = await StartAsync("good");
        using CancellationTokenSource stop = new();
        using StopAtLine output = new(stop, "Z  1 mount", 3);
        using TopRunner runner = Runner([Mount("good")], output);

        int code = await runner.RunAsync(new TopRequest([], TimeSpan.FromMilliseconds(100), Once: false, Json: false), stop.Token);

        Assert.Equal(ExitCode.Success, code);
        string text = output.ToString();
        Assert.DoesNotContain("\x1b", text, StringComparison.Ordinal);
        Assert.Contains("/mnt/good  s3://good", text, StringComparison.Ordinal);
        Assert.Contains("  statfs", text, StringComparison.Ordinal);
        Assert.Contains("respawns: holder 1, worker 3", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADirectoryThatIsNoMountEndsWithFour()
    {
        using StringWriter output = new();
        using TopRunner runner = Runner([Mount("good")], output);

        Assert.Equal(ExitCode.NotFound, await runner.RunAsync(new TopRequest(["/mnt/other"], TimeSpan.FromSeconds(1), Once: true, Json: false), CancellationToken.None));
        Assert.Equal("", output.ToString());
    }

    [Fact]
    public async Task AMountIsShownByALinkToItsDirectory()
    {
        await using AdminServer server = await StartAsync("good");
        Directory.CreateDirectory(_directory["mount"]);
        File.CreateSymbolicLink(_directory["link"], _directory["mount"]);
        using StringWriter output = new();
        using TopRunner runner = Runner([Mount("good") with { Directory = _directory["mount"] }], output);

        int code = await runner.RunAsync(new TopRequest([_directory["link"] + "/"], TimeSpan.FromMilliseconds(100), Once: true, Json: false), CancellationToken.None);

        Assert.Equal(ExitCode.Success, code);
        Assert.Contains(_directory["mount"], output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutOptionsTheCommandLineIsGoodAndADirectoryThatIsNoMountIsTold()
    {
        using StringWriter error = new();

        Assert.Equal(ExitCode.NotFound, await CommandLine.RunAsync(["top", _directory["nowhere"]], TextWriter.Null, error));
        Assert.Contains("is no mount of this user", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ATerminalIsDrawnAnewWithTheLinesThatFit()
    {
        await using AdminServer server = await StartAsync("good");
        using CancellationTokenSource stop = new();
        using StopAtLine output = new(stop, "\x1b[H", 2);
        using TopRunner runner = new(() => [Mount("good")], mount => AdminClient.OverSocket(mount.ControlSocket, TimeProvider.System), output, TextWriter.Null, () => 4, TimeProvider.System);

        await runner.RunAsync(new TopRequest([], TimeSpan.FromMilliseconds(100), Once: false, Json: false), stop.Token);

        string[] frames = output.ToString().Split("\x1b[H", StringSplitOptions.RemoveEmptyEntries);
        Assert.All(frames, frame => Assert.Equal(3, frame.Split("\x1b[K\n").Length - 1));
        Assert.All(frames, frame => Assert.EndsWith("\x1b[J", frame, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("1ms")]
    [InlineData("2")]
    [InlineData("2h")]
    public async Task AnIntervalOutsideItsBoundsIsRefused(string interval)
    {
        using StringWriter error = new();

        Assert.Equal(ExitCode.Usage, await CommandLine.RunAsync(["top", "--once", "--interval", interval], TextWriter.Null, error));
        Assert.Contains("100ms to 1h", error.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Takes connections and ends them, until the socket is disposed.</summary>
    private static async Task HangUpAsync(Socket socket)
    {
        try
        {
            while (true)
            {
                using Socket connection = await socket.AcceptAsync();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test has ended.
        }
    }

    /// <summary>Answers one question and ends the connection of the next one.</summary>
    private static async Task AnswerOnceAsync(Socket socket)
    {
        using (Socket connection = await socket.AcceptAsync())
        {
            await connection.ReceiveAsync(new byte[4096]);
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 29\r\nConnection: close\r\n\r\nforebay_start_time_seconds 1\n"u8.ToArray());
        }

        using Socket next = await socket.AcceptAsync();
    }

    private Socket Listening(string name)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(_directory[name]));
        socket.Listen();
        return socket;
    }

    private static void AssertDocumented(JsonElement element)
    {
        string documentation = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "docs", "CLI.md"));
        foreach (JsonElement inner in element.ValueKind == JsonValueKind.Array ? element.EnumerateArray().ToArray() : [])
        {
            AssertDocumented(inner);
        }

        foreach (JsonProperty property in element.ValueKind == JsonValueKind.Object ? element.EnumerateObject().ToArray() : [])
        {
            Assert.Contains($"\"{property.Name}\"", documentation, StringComparison.Ordinal);
            AssertDocumented(property.Value);
        }
    }

    private RegisteredMount Mount(string name) => new($"s3://{name}", $"/mnt/{name}", 0, Environment.ProcessId, Passthrough: true)
    {
        Id = name,
        Name = name,
        ControlSocket = _directory[name],
        WorkerRespawns = 3,
        HolderRespawns = 1,
    };

    private static TopRunner Runner(RegisteredMount[] mounts, TextWriter output)
        => new(() => mounts, mount => AdminClient.OverSocket(mount.ControlSocket, TimeProvider.System), output, TextWriter.Null, terminalLines: null, TimeProvider.System);

    private Task<AdminServer> StartAsync(string name) => AdminServer.StartAsync(
        new AdminServerOptions { Node = new FakeNode(), SocketPath = _directory[name], AllowAnonymous = true, MetricSources = [new Busy()] }, CancellationToken.None);

    /// <summary>A session that answers some requests between any two scrapes.</summary>
    private sealed class Busy : IMetricSource
    {
        private int _requests;

        public void Collect(MetricSink sink)
        {
            int requests = Interlocked.Add(ref _requests, 100);
            sink.Add(MetricCatalog.FuseRequests, requests, "m", "statfs");
            sink.Add(MetricCatalog.FuseErrors, 0, "m", "statfs");
            sink.Add(MetricCatalog.FuseSeconds, new MetricHistogram([0.001], [requests, 0], 0), "m", "statfs");
        }
    }

    /// <summary>Cancels when a text came for the given time.</summary>
    private sealed class StopAtLine(CancellationTokenSource stop, string text, int times) : StringWriter
    {
        public override Task WriteAsync(string? value)
        {
            base.Write(value);
            if (ToString().Split(text).Length > times)
            {
                stop.Cancel();
            }

            return Task.CompletedTask;
        }
    }
}
