using Forebay.Fuse;
using Forebay.Mounting.Working;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting.Tests.Mounts;

/// <summary>A worker's service over <see cref="PatternFileSystem"/>; the source of the mount says how it is to fail.</summary>
internal sealed class PatternService(MountDescription description) : MountService
{
    private FuseSession? _session;
    private FuseDevice? _device;

    public override Task Ended => _session!.Completion;

    public override bool IsStuck => _session is { } session && session.LongestWait > TimeSpan.FromMilliseconds(300);

    public override async Task<string?> OpenAsync(bool checkSource, CancellationToken cancellationToken)
    {
        switch (description.Source)
        {
            case "missing":
                throw new ForebayException(ErrorKind.NotFound, "The bucket is not there; look at its name.");
            case "refused":
                throw new ForebayException(ErrorKind.AccessDenied, "The source refuses these credentials.");
            case "crash":
                Environment.Exit(134);
                break;
            case "slow":
                await Task.Delay(Timeout.Infinite, cancellationToken);
                break;
            case "dies-later" when !checkSource:
                Environment.Exit(134);
                break;
            case "empty":
                return "Nothing lies below it.";
            default:
                break;
        }

        return null;
    }

    public override async Task<MountServing> ServeAsync(SafeFileHandle device, byte[]? connection, Action answered)
    {
        _device = new FuseDevice(device);
        FuseSessionOptions options = new() { Observer = new FirstAnswer(answered) };
        _session = new FuseSession(_device, new PatternFileSystem(description.Source == "stuck" && connection is null ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(2)), options, connection is null ? null : FuseConnection.TryParse(connection));
        _session.Start();
        return new MountServing((await _session.Negotiated).ToBytes(), Passthrough: false);
    }

    public override async Task DrainAsync(CancellationToken cancellationToken)
    {
        await _session!.StopAsync(cancellationToken);
        while (_session.OpenRequests > 0)
        {
            await Task.Delay(1, cancellationToken);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        if (_session is not null)
        {
            await _session.DisposeAsync();
        }
    }

    private sealed class FirstAnswer(Action answered) : FuseObserver
    {
        private int _told;

        public override void Completed(in FuseCompletion completion)
        {
            if (Interlocked.Exchange(ref _told, 1) == 0)
            {
                answered();
            }
        }
    }
}
