using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Forebay.Robustness.Nodes;

/// <summary>A running <c>forebay serve</c>. Disposing kills it.</summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    public static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HttpClient _admin = new() { Timeout = TimeSpan.FromSeconds(10) };
    private string? _configurationFile;
    private string? _s3Address;
    private string? _adminAddress;

    private NodeProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, e) => OnOutput(e.Data);
        process.ErrorDataReceived += (_, e) => OnError(e.Data);
    }

    public int Id => _process.Id;

    /// <summary>What it was started with; null for other commands than <c>serve</c>.</summary>
    public NodeSettings? Settings { get; private set; }

    /// <summary>Address of the S3 endpoint.</summary>
    public string S3Address => _s3Address ?? throw new InvalidOperationException("the node has not said where it listens");

    public string AdminAddress => _adminAddress ?? throw new InvalidOperationException("the node has not said where it listens");

    /// <summary>From the start of the process to its line <c>ready</c>.</summary>
    public TimeSpan ReadyAfter { get; private set; }

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    public string Output => Text(_output);

    public string Error => Text(_error);

    /// <summary>Open descriptors of the process.</summary>
    public int OpenDescriptors => Directory.GetFileSystemEntries($"/proc/{Id}/fd").Length;

    /// <summary>Starts a node and waits until it is ready.</summary>
    public static async Task<NodeProcess> StartAsync(NodeSettings settings)
    {
        long started = Stopwatch.GetTimestamp();
        NodeProcess node = Launch(settings);
        Task exited = node._process.WaitForExitAsync();
        Task first = await Task.WhenAny(node._ready.Task, exited, Task.Delay(StartTimeout));
        node.ReadyAfter = Stopwatch.GetElapsedTime(started);
        if (first == node._ready.Task)
        {
            return node;
        }

        string what = first == exited ? $"ended with {node.ExitCode}" : $"was not ready within {StartTimeout.TotalSeconds} s";
        string said = node.Output + node.Error;
        await node.DisposeAsync();
        throw new InvalidOperationException($"the node {what}:\n{said}");
    }

    /// <summary>Starts a node that is expected to end by itself, and waits for that.</summary>
    public static Task<NodeProcess> RunToEndAsync(NodeSettings settings) => EndAsync(Launch(settings));

    /// <summary>Runs the executable with these arguments to its end.</summary>
    public static Task<NodeProcess> RunToEndAsync(params string[] arguments) => EndAsync(Launch(arguments, []));

    /// <summary><c>kill -9</c>; returns when the process is gone.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM.</summary>
    public void Terminate() => Assert.Equal(0, Signal(Id, 15));

    /// <summary>Waits for the end.</summary>
    public async Task<int> WaitForExitAsync(TimeSpan timeout)
    {
        using CancellationTokenSource limit = new(timeout);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"the node still runs {timeout.TotalSeconds} s after it was told to end:\n{Output}{Error}");
        }

        return _process.ExitCode;
    }

    /// <summary>All metrics.</summary>
    public async Task<Figures> FiguresAsync() => Figures.Parse(await _admin.GetStringAsync($"{AdminAddress}/metrics"));

    /// <summary>An unauthenticated GET of the admin address.</summary>
    public async Task<(int Status, string Body)> GetAdminAsync(string path)
    {
        using HttpResponseMessage response = await _admin.GetAsync(AdminAddress + path);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    /// <summary>Runs a client verb against this node and gives what it printed.</summary>
    public async Task<string> RunVerbAsync(params string[] arguments)
    {
        (int exitCode, string output, string error) = await TryVerbAsync(arguments);
        Assert.True(exitCode == 0, $"forebay {string.Join(' ', arguments)} ended with {exitCode}:\n{output}{error}");
        return output;
    }

    /// <summary>Runs a client verb against this node, which may fail.</summary>
    public async Task<(int ExitCode, string Output, string Error)> TryVerbAsync(params string[] arguments)
    {
        string admin = AdminAddress["http://".Length..];
        await using NodeProcess verb = await EndAsync(Launch([.. arguments, "--admin", admin], Keys));
        return (verb.ExitCode, verb.Output, verb.Error);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        if (_configurationFile is not null)
        {
            File.Delete(_configurationFile);
        }

        _admin.Dispose();
        _process.Dispose();
    }

    private static Dictionary<string, string> Keys { get; } = new(StringComparer.Ordinal)
    {
        ["FOREBAY_ACCESS_KEY_ID"] = NodeSettings.AccessKeyId,
        ["FOREBAY_SECRET_ACCESS_KEY"] = NodeSettings.SecretAccessKey,
    };

    private static NodeProcess Launch(NodeSettings settings)
    {
        string file = Path.Combine(Path.GetTempPath(), $"forebay-robustness-{Guid.NewGuid():N}.yaml");
        File.WriteAllText(file, settings.ToYaml());
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        NodeProcess node = Launch(["serve", "--config", file], settings.Environment.Concat(Keys));
        node._configurationFile = file;
        node.Settings = settings;
        return node;
    }

    private static NodeProcess Launch(string[] arguments, IEnumerable<KeyValuePair<string, string>> environment)
    {
        ProcessStartInfo start = new(Executable.FilePath, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string name in start.Environment.Keys.Where(name => name.StartsWith("FOREBAY_", StringComparison.Ordinal) || name.StartsWith("AWS_", StringComparison.Ordinal)).ToList())
        {
            start.Environment.Remove(name);
        }

        // Not that of the machine: killed nodes leave their sockets behind.
        start.Environment["FOREBAY_RUNTIME_DIR"] = Path.Combine(Path.GetTempPath(), "forebay-robustness-run");
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        NodeProcess node = new(new Process { StartInfo = start });
        node._process.Start();
        node._process.BeginOutputReadLine();
        node._process.BeginErrorReadLine();
        return node;
    }

    private static async Task<NodeProcess> EndAsync(NodeProcess node)
    {
        await node.WaitForExitAsync(StartTimeout);
        return node;
    }

    private void OnOutput(string? line)
    {
        if (line is null)
        {
            return;
        }

        Append(_output, line);
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        switch (words)
        {
            case ["S3", var address]:
                _s3Address = address;
                break;
            case ["admin", var address]:
                _adminAddress = address;
                break;
            case ["ready"]:
                _ready.TrySetResult();
                break;
            default:
                break;
        }
    }

    private void OnError(string? line)
    {
        if (line is not null)
        {
            Append(_error, line);
        }
    }

    private static void Append(StringBuilder text, string line)
    {
        lock (text)
        {
            text.Append(line).Append('\n');
        }
    }

    private static string Text(StringBuilder text)
    {
        lock (text)
        {
            return text.ToString();
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Signal(int process, int signal);
}
