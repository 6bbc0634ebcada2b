using System.Runtime.InteropServices;
using Forebay.Cli.Configuration;
using Forebay.Core;
using Forebay.FileSystem;
using Forebay.Fuse;
using Forebay.Mounting;
using Forebay.Mounting.Launching;
using Forebay.Mounting.Options;
using Forebay.Mounting.Registry;

namespace Forebay.Cli.Mounting;

/// <summary>What <c>forebay mount</c> was told.</summary>
/// <param name="Source">Source, in any form.</param>
/// <param name="Directory">Mount point.</param>
/// <param name="Options">Values of <c>-o</c>.</param>
/// <param name="Caches">Values of <c>--cache</c>.</param>
/// <param name="Foreground">Stay with the mount.</param>
/// <param name="Sloppy">Pass over options that are not known.</param>
internal sealed record MountRequest(string Source, string Directory, IReadOnlyList<string> Options, IReadOnlyList<string> Caches, bool Foreground, bool Sloppy);

/// <summary>The work of <c>forebay mount</c>: everything that can be found wrong without the source is found here, before a process is started; a node is asked where its data is.</summary>
internal static class MountRunner
{
    /// <summary>Mounts; gives the exit code.</summary>
    public static async Task<int> RunAsync(MountRequest request, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        MountOptionResult parsed = MountOptionParser.Parse(request.Options, request.Sloppy);
        if (parsed.Faults.Count == 0 && NodeSource.Is(request.Source) && NodeSource.TryParse(request.Source, out _) is { S3: null } node)
        {
            try
            {
                request = request with { Source = (await node.ResolveAsync(TimeProvider.System, cancellationToken)).ToArgument() };
            }
            catch (ForebayException e)
            {
                error.WriteLine($"forebay: {e.Message}");
                return ExitCode.SourceUnreachable;
            }
        }

        return Run(request, parsed, output, error);
    }

    private static int Run(MountRequest request, MountOptionResult parsed, TextWriter output, TextWriter error)
    {
        IReadOnlyList<string> faults = [];
        MountPlan? plan = parsed.Faults.Count > 0 ? null : MountPlan.Make(request.Source, parsed.Options, request.Caches, Environment.GetEnvironmentVariable, out faults);
        if (parsed.Options.AllowRoot && ProcessOwner.User != 0)
        {
            // The kernel knows only "everybody"; who else may come in is not checked by this version.
            faults = [.. faults, "allow_root is for mounts of root only in this version; take allow_other with default_permissions."];
            plan = null;
        }

        if (parsed.Options.AccessLogFile is { } log && !Directory.Exists(Path.GetDirectoryName(log)))
        {
            faults = [.. faults, $"access_log: the directory of {log} is not there; make it first."];
            plan = null;
        }

        foreach (string fault in parsed.Faults.Concat(faults))
        {
            error.WriteLine($"forebay: {fault}");
        }

        if (plan is null)
        {
            error.WriteLine("Nothing was mounted. \"forebay mount --help\" tells what it takes, docs/MOUNT.md all options.");
            return ExitCode.Usage;
        }

        foreach (string warning in parsed.Warnings)
        {
            error.WriteLine($"warning: {warning}");
        }

        try
        {
            MountDescription description = Describe(request, plan);
            OwnPaths.Check(plan, description);
            return Launch(description, request.Foreground, output, error);
        }
        catch (ForebayException e)
        {
            error.WriteLine($"forebay: {e.Message}");
            return e.Kind == ErrorKind.InvalidArgument && e.Message.StartsWith("passwd_file", StringComparison.Ordinal) ? ExitCode.Usage : ExitCode.Environment;
        }
    }

    private static MountDescription Describe(MountRequest request, MountPlan plan)
    {
        string directory = CheckDirectory(request.Directory, plan.Options);
        MountRegistry registry = new(MountRegistry.DirectoryOf(Environment.GetEnvironmentVariable));
        registry.EnsureDirectory();
        Dictionary<string, string?> secrets = new(StringComparer.Ordinal);
        if (plan.Options.PasswordFile is { } file)
        {
            bool isNode = plan.Node is not null;
            (secrets[isNode ? NodeSource.AccessKeyVariable : "AWS_ACCESS_KEY_ID"], secrets[isNode ? NodeSource.SecretKeyVariable : "AWS_SECRET_ACCESS_KEY"]) = PasswordFile.Read(file, plan.Mount.Source.Root);
            secrets["AWS_SESSION_TOKEN"] = null;
        }

        return new MountDescription
        {
            Source = plan.Source,
            Name = plan.Name,
            Directory = directory,
            Options = [.. request.Options],
            Caches = plan.Caches,
            SourceArgument = request.Source,
            Executable = ExecutablePath(),
            Environment = MountEnvironment.ForWorker(secrets),
            RegionBytes = InodeRegion.BytesFor(plan.Options.MaxInodes),
            RuntimeDirectory = registry.Directory,
            LogFile = request.Foreground ? plan.Options.LogFile : plan.Options.LogFile ?? registry.FileOf(MountRegistry.IdOf(directory), "log"),
            Standby = plan.Options.Standby,
            Foreground = request.Foreground,
        };
    }

    private static int Launch(MountDescription description, bool foreground, TextWriter output, TextWriter error)
    {
        using CancellationTokenSource stop = new();
        RunningMount? running = null;
        PosixSignalRegistration[] signals =
        [
            .. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM }.Select(signal => PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                stop.Cancel();
                Volatile.Read(ref running)?.RequestUnmount();
            })),
        ];
        try
        {
            LaunchResult result = MountLauncher.Launch(description, stop.Token);
            if (result.Running is not { } mounted)
            {
                error.WriteLine($"forebay: {result.Sentence}");
                return result.ExitCode;
            }

            if (result.Sentence.Length > 0)
            {
                error.WriteLine($"warning: {result.Sentence}");
            }

            using (mounted)
            {
                Volatile.Write(ref running, mounted);
                if (foreground)
                {
                    output.WriteLine($"mounted {description.Source} on {description.Directory}");
                    output.Flush();
                    ServiceNotification.Ready();
                    if (stop.IsCancellationRequested)
                    {
                        mounted.RequestUnmount();
                    }

                    mounted.WaitForEnd();
                }

                return ExitCode.Success;
            }
        }
        finally
        {
            foreach (PosixSignalRegistration signal in signals)
            {
                signal.Dispose();
            }
        }
    }

    /// <summary>The mount point: there, a directory, empty, nothing mounted on it.</summary>
    private static string CheckDirectory(string directory, MountOptions options)
    {
        string path = FuseMount.CheckDirectory(directory);
        if (!options.NonEmpty && Directory.EnumerateFileSystemEntries(path).Any())
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"{path} is not empty: what is in it would be hidden. Choose an empty directory, or allow it with -o nonempty.");
        }

        return path;
    }

    private static string ExecutablePath()
        => Environment.ProcessPath ?? throw new ForebayException(ErrorKind.Unavailable, "The path of this program cannot be told.");
}
