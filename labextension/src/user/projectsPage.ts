import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { MainAreaWidget } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { Launcher } from '@jupyterlab/launcher';
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { folderIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import { BoxLayout, Widget } from '@lumino/widgets';

import { mayCreateSomewhere } from './besideProjects.js';
import { fleetBundle } from '../page/fleetBundle.js';
import type { IFleetUser } from './fleetUser.js';
import { inFleet, pageUser, rolesChanged } from './pageUser.js';
import { startingPlace, StartingPlace } from './startingPlace.js';
import { viewOnlyText } from './viewOnlyText.js';

/** Shows the projects where the launcher could not create anything. */
export const projectsPage: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:projects-page',
  description: 'Offers the projects in the place of a launcher that could create nothing.',
  autoStart: true,
  requires: [IDefaultFileBrowser],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    browser: IDefaultFileBrowser,
    translator: ITranslator | null
  ) => {
    if (!inFleet() || pageUser() === null) {
      return;
    }
    const trans = fleetBundle(translator);
    const open = (project: string) =>
      void app.commands.execute('filebrowser:go-to-path', { path: project });
    const launched = (_: CommandRegistry, { id, result }: CommandRegistry.ICommandExecutedArgs) => {
      if (id !== 'launcher:create') {
        return;
      }
      const show = (main: unknown) => {
        if (main instanceof MainAreaWidget && main.content instanceof Launcher) {
          standBeside(main as MainAreaWidget<Launcher>, new ProjectsPage(open, trans));
        }
      };
      void result.then(show, () => undefined);
    };
    app.commands.commandExecuted.connect(launched);

    function standBeside(main: MainAreaWidget<Launcher>, page: ProjectsPage): void {
      const layout = main.layout as BoxLayout;
      layout.addWidget(page);
      BoxLayout.setStretch(page, 1);
      const choose = () => {
        const user = pageUser();
        const path = browser.model.path;
        const place = startingPlace(user, path);
        main.content.setHidden(place !== 'here');
        page.setHidden(place === 'here');
        if (user !== null) {
          page.tell(user, place, path);
        }
      };
      choose();
      browser.model.pathChanged.connect(choose);
      rolesChanged.connect(choose);
      main.disposed.connect(() => {
        browser.model.pathChanged.disconnect(choose);
        rolesChanged.disconnect(choose);
      });
    }
  }
};

/** The projects as cards, in the looks of the launcher. */
class ProjectsPage extends Widget {
  constructor(open: (project: string) => void, trans: TranslationBundle) {
    super();
    this._open = open;
    this._trans = trans;
    this.addClass('jp-Launcher');
    this.addClass('jp-fleet-Projects');
  }

  /** Say what the user can do at a path, and show the projects. */
  tell(user: IFleetUser, place: StartingPlace, path: string): void {
    const body = element('div', 'jp-Launcher-body');
    const content = element('div', 'jp-Launcher-content');
    body.append(content);
    content.append(element('p', 'jp-fleet-Projects-hint', this._hint(user, place, path)));
    if (user.projects.size) {
      content.append(this._projects(user));
    }
    this.node.replaceChildren(body);
  }

  private _hint(user: IFleetUser, place: StartingPlace, path: string): string {
    const trans = this._trans;
    switch (place) {
      case 'nowhere':
        return trans.__(
          'You are signed in as %1, but you are in no project yet. Ask whoever manages your projects to add you to one, then sign in again.',
          user.username
        );
      case 'view only':
        return trans.__('%1 Open a file on the left to look at it.', viewOnlyText(path, trans));
      default:
        return mayCreateSomewhere(user)
          ? trans.__(
              'Open one of your projects to begin: files and notebooks are created inside a project.'
            )
          : trans.__(
              'Open a project to look at its files. You cannot run or change them: you are a viewer of all your projects. Ask an owner to make you an editor.'
            );
    }
  }

  private _projects(user: IFleetUser): HTMLElement {
    const section = element('div', 'jp-Launcher-section');
    const header = element('div', 'jp-Launcher-sectionHeader');
    header.append(
      folderIcon.element({ tag: 'span', stylesheet: 'launcherSection' }),
      element('h2', 'jp-Launcher-sectionTitle', this._trans.__('Projects'))
    );
    const cards = element('div', 'jp-Launcher-cardContainer');
    for (const [project, role] of user.projects) {
      cards.append(this._card(project, this._roleText(role)));
    }
    section.append(header, cards);
    return section;
  }

  private _card(project: string, role: string): HTMLElement {
    const card = element('div', 'jp-LauncherCard');
    card.title = this._trans.__('%1: %2', project, role);
    card.setAttribute('role', 'button');
    card.tabIndex = 0;
    card.dataset.project = project;
    const icon = element('div', 'jp-LauncherCard-icon');
    icon.append(folderIcon.element({ tag: 'span', stylesheet: 'launcherCard' }));
    const label = element('div', 'jp-LauncherCard-label');
    label.append(element('p', '', project), element('p', 'jp-fleet-Projects-role', role));
    card.append(icon, label);
    card.addEventListener('click', () => this._open(project));
    card.addEventListener('keydown', event => {
      if (event.key === 'Enter' || event.key === ' ') {
        event.preventDefault();
        this._open(project);
      }
    });
    return card;
  }

  private _roleText(role: string): string {
    switch (role) {
      case 'viewer':
        return this._trans.__('look only');
      case 'owner':
        return this._trans.__('owner');
      default:
        return this._trans.__('editor');
    }
  }

  private readonly _open: (project: string) => void;
  private readonly _trans: TranslationBundle;
}

function element(tag: string, className: string, text = ''): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
