using Forebay.Mounting.Messages;
using Forebay.Mounting.Processes;

namespace Forebay.Mounting;

/// <summary>Everything that a process of a mount must know to take its part, in whichever version of the program it is. The holder keeps it; workers get it from the holder.</summary>
public sealed record MountDescription
{
    private const int MaxTexts = 4096;

    /// <summary>What is mounted, for people; holds no secret.</summary>
    public required string Source { get; init; }

    /// <summary>The source as it was written, for the worker to read.</summary>
    public required string SourceArgument { get; init; }

    /// <summary>Name of the mount point in the worker's own namespace.</summary>
    public required string Name { get; init; }

    /// <summary>Where: absolute, without links.</summary>
    public required string Directory { get; init; }

    /// <summary>Values of <c>-o</c> in their order.</summary>
    public IReadOnlyList<string> Options { get; init; } = [];

    /// <summary>Values of <c>--cache</c> in their order.</summary>
    public IReadOnlyList<string> Caches { get; init; } = [];

    /// <summary>Executable of the workers to come.</summary>
    public required string Executable { get; init; }

    /// <summary>Arguments that make the executable this program, before the name of the command; empty but under test.</summary>
    public IReadOnlyList<string> ExecutableArguments { get; init; } = [];

    /// <summary><c>NAME=value</c> for workers; this is where secrets are. Never printed.</summary>
    public IReadOnlyList<string> Environment { get; init; } = [];

    /// <summary>Bytes of the shared memory.</summary>
    public required long RegionBytes { get; init; }

    /// <summary>Directory of registry, sockets and logs.</summary>
    public required string RuntimeDirectory { get; init; }

    /// <summary>File that the processes log to; null for the standard error of who launched.</summary>
    public string? LogFile { get; init; }

    /// <summary>A second worker waits, warm.</summary>
    public bool Standby { get; init; } = true;

    /// <summary>The launcher stays and ends with the mount.</summary>
    public bool Foreground { get; init; }

    /// <summary>Text without the environment, for logs.</summary>
    public override string ToString() => $"{Source} on {Directory}";

    internal void Write(MessageWriter message) => message
        .Text(Source).Text(SourceArgument).Text(Name).Text(Directory).Texts(Options).Texts(Caches).Text(Executable).Texts(ExecutableArguments).Texts(Environment).Number(RegionBytes)
        .Text(RuntimeDirectory).Text(LogFile ?? "").Number(Standby ? 1 : 0).Number(Foreground ? 1 : 0);

    internal static MountDescription Read(ref MessageReader message)
    {
        MountDescription description = new()
        {
            Source = message.Text(),
            SourceArgument = message.Text(),
            Name = message.Text(),
            Directory = message.Text(),
            Options = Bounded(message.Texts()),
            Caches = Bounded(message.Texts()),
            Executable = message.Text(),
            ExecutableArguments = Bounded(message.Texts()),
            Environment = Bounded(message.Texts()),
            RegionBytes = message.Number(),
            RuntimeDirectory = message.Text(),
            LogFile = message.Text() is { Length: > 0 } file ? file : null,
            Standby = message.Number(0, 1) == 1,
            Foreground = message.Number(0, 1) == 1,
        };
        return description.RegionBytes is > 0 and <= 1L << 40 && Path.IsPathRooted(description.Directory) && Path.IsPathRooted(description.RuntimeDirectory) && Path.IsPathRooted(description.Executable)
            ? description
            : throw new MalformedMessageException("the description of the mount makes no sense");
    }

    /// <summary>How the processes of this mount are started; source and directory are there for whoever looks at a list of processes.</summary>
    internal SpawnCommand Command(string verb) => new(Executable, ["forebay", .. ExecutableArguments, verb, Source, Directory]);

    private static string[] Bounded(string[] texts)
        => texts.Length <= MaxTexts ? texts : throw new MalformedMessageException("the description of the mount has too many parts");
}
